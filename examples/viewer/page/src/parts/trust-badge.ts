// What is known of a picture, on every picture: Verified, being checked, or Broken. A click explains who signed, when, what was checked and what
// is missing. For a live view it is given what the view knows of its segments.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';

import type { Trust } from '../api/types.js';
import type { Verdict } from '../live/verdicts.js';
import { S } from '../strings.js';
import { moment } from '../times.js';
import { icon } from './icons.js';
import { look } from './look.js';

/** What a live view knows beyond the state. */
export interface LiveTrust {
  frame: number | null;
  last: Verdict | null;
  signer: string;
}

@customElement('trust-badge')
export class TrustBadge extends LitElement {
  @property({ attribute: false }) trust: Trust = { state: 'pending' };
  @property({ attribute: false }) live: LiveTrust | null = null;
  /** Said by the hub in its log (an event, a thumbnail), not part of what cameras sign. */
  @property({ type: Boolean }) told = false;
  /** When it was recorded, if that is one moment. */
  @property({ attribute: false }) atMs: number | null = null;
  @property({ type: Boolean }) small = false;
  /** What it speaks of, where several things stand together. */
  @property() of = '';
  @state() private open = false;
  @query('dialog') private dialog!: HTMLDialogElement;

  private get kind(): 'verified' | 'pending' | 'live' | 'told' | 'broken' {
    if (this.trust.state !== 'pending') return this.trust.state;
    return this.live ? 'live' : this.told ? 'told' : 'pending';
  }

  override willUpdate() {
    this.dataset.trust = this.trust.state;
  }

  override render() {
    const kind = this.kind;
    return html`<button
        class=${this.trust.state}
        aria-haspopup="dialog"
        aria-label="${this.of ? `${this.of}, ` : ''}${S.trust[kind]}: ${S.trust.explain}"
        title=${S.trust.explain}
        @click=${this.show}
      >
        ${icon(this.trust.state)}${this.small ? nothing : html`<span>${this.of ? `${this.of}: ` : ''}${S.trust[kind]}</span>`}
      </button>
      <dialog aria-labelledby="title" @close=${() => (this.open = false)} @click=${this.outside}>
        ${this.open ? this.explanation() : nothing}
      </dialog>`;
  }

  private show = async (e: Event) => {
    e.preventDefault();
    e.stopPropagation();
    this.open = true;
    await this.updateComplete;
    this.dialog.showModal();
  };

  private outside = (e: Event) => {
    e.stopPropagation();
    if (e.target === this.dialog) this.dialog.close();
  };

  private explanation(): TemplateResult {
    const { trust, live, kind } = this;
    const facts: [string, unknown, boolean?][] = [];
    if (trust.state === 'verified') {
      facts.push([S.trust.signer, trust.signer, true]);
      facts.push([S.trust.lease, trust.lease_until_ms === null ? S.trust.noLease : moment(trust.lease_until_ms)]);
    }
    if (trust.state === 'broken') facts.push([S.trust.why, trust.why]);
    if (this.atMs !== null) facts.push([S.trust.when, moment(this.atMs, true)]);
    if (live) {
      if (live.signer && trust.state !== 'verified') facts.push([S.trust.signer, live.signer, true]);
      if (live.frame !== null) facts.push([S.trust.frame, S.trust.frameIs(live.frame)]);
      facts.push([S.trust.lastVerdict, lastVerdict(live.last)]);
    }
    if (trust.state === 'pending' && !this.told) facts.push([S.trust.missing, live ? S.trust.missingLive : S.trust.missingPending]);
    return html`<div class="body">
      <div class="row top">
        <span class="seal ${trust.state}">${icon(trust.state)}</span>
        <h2 id="title" class="grow">${S.trust.titles[kind]}</h2>
        <button class="quiet square" aria-label=${S.close} @click=${() => this.dialog.close()}>${icon('close')}</button>
      </div>
      <p>${S.trust.texts[kind]}${live && trust.state === 'broken' ? html` ${S.trust.stoppedWhy}` : nothing}</p>
      ${facts.length > 0
        ? html`<dl class="facts">
            ${facts.map(([name, value, mono]) => html`<dt>${name}</dt><dd class=${mono ? 'mono' : ''}>${value}</dd>`)}
          </dl>`
        : nothing}
    </div>`;
  }

  static override styles = [
    look,
    css`
      :host {
        display: inline-block;
      }
      button:not(.quiet) {
        min-height: 26px;
        padding: 0 9px 0 6px;
        gap: 5px;
        border: 0;
        border-radius: 13px;
        font-size: 0.82rem;
        font-weight: 600;
        white-space: nowrap;
      }
      :host([small]) button:not(.quiet) {
        padding: 0 5px;
        min-width: 26px;
      }
      button .icon {
        width: 1.05rem;
        height: 1.05rem;
      }
      .verified {
        background: var(--good-soft);
        color: var(--good);
      }
      .pending {
        background: var(--wait-soft);
        color: var(--wait);
      }
      .broken {
        background: var(--bad-soft);
        color: var(--bad);
      }
      dialog {
        border: 0;
        border-radius: 20px;
        padding: 0;
        width: min(460px, calc(100vw - 32px));
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow-high);
        text-align: left;
        font-size: 0.95rem;
        white-space: normal;
        cursor: auto;
      }
      dialog::backdrop {
        background: rgb(8 12 9 / 55%);
      }
      .body {
        display: grid;
        gap: 14px;
        padding: 20px;
      }
      .top {
        flex-wrap: nowrap;
        gap: 12px;
      }
      .body p {
        color: var(--ink-2);
      }
      .seal {
        width: 44px;
        height: 44px;
        border-radius: 14px;
        display: grid;
        place-items: center;
        flex: none;
      }
      .seal .icon {
        width: 1.6rem;
        height: 1.6rem;
      }
      .facts {
        padding-top: 14px;
        border-top: 1px solid var(--line);
      }
    `,
  ];
}

function lastVerdict(last: Verdict | null): string {
  if (!last) return S.trust.noVerdict;
  return last.trust.state === 'broken' ? S.trust.verdictBroken : S.trust.verdictVerified(last.first, last.last);
}
