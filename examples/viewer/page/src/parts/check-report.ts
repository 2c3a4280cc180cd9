// What the full check of a clip found, as sentences.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';

import type { Report } from '../api/types.js';
import { S } from '../strings.js';
import { clock, moment } from '../times.js';
import { icon } from './icons.js';
import { look } from './look.js';

const W = S.clip.report;

@customElement('check-report')
export class CheckReport extends LitElement {
  @property({ attribute: false }) report!: Report;

  override render() {
    const r = this.report;
    const known = r.signer_known;
    return html`<div class="note ${r.ok ? 'good' : 'bad'}" role="status">
        ${icon(r.ok ? 'verified' : 'broken')}<strong>${r.ok ? W.ok : W.bad}</strong>
      </div>
      <ul>
        ${this.line(
          r.signer && known,
          r.signer
            ? html`${W.signer} <span class="mono">${r.signer}</span>, ${known ? W.known : W.unknown}`
            : html`${W.signer} ${W.noSigner}`,
        )}
        ${this.line(true, html`${W.time} ${moment(r.time_claim_ms, true)} – ${clock(r.time_end_ms, true)}`)}
        ${this.line(r.ok || r.frames_checked > 0, html`${W.frames(r.frames_checked, r.segments)}`)}
        ${r.chain.length > 1 ? this.line(r.ok, html`${W.chained(r.chain.length)}`) : nothing}
        ${r.gaps.length === 0 ? this.line(true, html`${W.gapsNone}`) : nothing}
        ${r.gaps.map((gap) => this.line(false, html`${W.gap(moment(gap.from_ms, true), moment(gap.until_ms, true), W.gapWhy[gap.reason])}`, 'warn'))}
        ${r.clock_set_back > 0 ? this.line(false, html`${W.clock(r.clock_set_back)}`, 'warn') : nothing}
        ${r.first_segment > 0 ? this.line(false, html`${W.first(r.first_segment)}`, 'warn') : nothing}
      </ul>
      ${r.problems.length > 0
        ? html`<h3>${W.problems}</h3>
            <ul>
              ${r.problems.map((problem) => this.line(false, html`${problem}`))}
            </ul>`
        : nothing}`;
  }

  private line(good: unknown, text: unknown, otherwise: 'bad' | 'warn' = 'bad') {
    return html`<li class=${good ? 'good' : otherwise}>${icon(good ? 'check' : otherwise === 'bad' ? 'close' : 'info')}<span>${text}</span></li>`;
  }

  static override styles = [
    look,
    css`
      :host {
        display: grid;
        gap: 12px;
      }
      .note {
        align-items: center;
      }
      li {
        display: flex;
        gap: 10px;
        padding: 5px 0;
        min-width: 0;
      }
      li span {
        min-width: 0;
        overflow-wrap: anywhere;
      }
      li .icon {
        margin-top: 1px;
      }
      .good > .icon {
        color: var(--good);
      }
      .bad > .icon {
        color: var(--bad);
      }
      .warn > .icon {
        color: var(--warn);
      }
    `,
  ];
}
