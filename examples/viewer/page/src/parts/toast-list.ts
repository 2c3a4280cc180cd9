// Short messages at the page's corner, read out by screen readers as they come.

import { LitElement, css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';

import { toasts } from '../notify.js';
import { S } from '../strings.js';
import { icon } from './icons.js';
import { look } from './look.js';

@customElement('toast-list')
export class ToastList extends LitElement {
  override connectedCallback() {
    super.connectedCallback();
    toasts.addEventListener('change', this.again);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    toasts.removeEventListener('change', this.again);
  }

  private again = () => this.requestUpdate();

  override render() {
    return html`<ul role="status" aria-live="polite">
      ${toasts.list.map(
        (toast) => html`<li class=${toast.kind}>
          ${icon(toast.kind === 'good' ? 'check' : toast.kind === 'plain' ? 'info' : 'warning')}
          <div class="grow">
            ${toast.href
              ? html`<a href=${toast.href} @click=${() => toasts.drop(toast.id)}>${toast.title}</a>`
              : html`<strong>${toast.title}</strong>`}
            ${toast.body ? html`<p>${toast.body}</p>` : nothing}
          </div>
          <button class="quiet square" aria-label=${S.close} @click=${() => toasts.drop(toast.id)}>${icon('close')}</button>
        </li>`,
      )}
    </ul>`;
  }

  static override styles = [
    look,
    css`
      ul {
        position: fixed;
        right: 20px;
        bottom: 20px;
        z-index: 30;
        display: grid;
        gap: 10px;
        width: min(380px, calc(100vw - 32px));
      }
      li {
        display: flex;
        gap: 12px;
        align-items: start;
        padding: 12px 8px 12px 16px;
        border-radius: 14px;
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow-high);
        animation: come 0.2s ease-out;
      }
      li > .icon {
        margin-top: 1px;
        color: var(--accent);
      }
      .warn > .icon {
        color: var(--warn);
      }
      .bad > .icon {
        color: var(--bad);
      }
      strong,
      a {
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      p {
        color: var(--ink-2);
        font-size: 0.92rem;
        overflow-wrap: anywhere;
      }
      button.square {
        width: 30px;
        min-height: 30px;
        margin-top: -4px;
      }
      @keyframes come {
        from {
          opacity: 0;
          translate: 0 8px;
        }
      }
      @media (max-width: 860px) {
        ul {
          right: 16px;
          bottom: 84px;
        }
      }
    `,
  ];
}
