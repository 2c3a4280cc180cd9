// Sixty digits in groups of five, large enough to be read out.

import { LitElement, css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';

import { S } from '../strings.js';
import { look } from './look.js';

export function groups(number: string): string[] {
  return number.replace(/\s/g, '').match(/.{1,5}/g) ?? [];
}

@customElement('safety-number')
export class SafetyNumber extends LitElement {
  @property() number = '';

  override render() {
    return html`<ol aria-label=${S.devices.safety}>
      ${groups(this.number).map((group) => html`<li>${group}</li>`)}
    </ol>`;
  }

  static override styles = [
    look,
    css`
      ol {
        display: grid;
        grid-template-columns: repeat(4, 1fr);
        gap: 10px 6px;
        background: var(--sunken);
        border-radius: 14px;
        padding: 18px 14px;
        font-family: var(--mono);
        font-size: clamp(0.98rem, 3.6vw, 1.2rem);
        letter-spacing: 0.05em;
        text-align: center;
        max-width: 440px;
      }
    `,
  ];
}
