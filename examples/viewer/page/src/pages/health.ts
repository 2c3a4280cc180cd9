// How this device reaches its home, and what could not be trusted. Looking at this page is what ends the banner of the alerts.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';

import { Follows, home } from '../home.js';
import type { Alerts } from '../parts/alerts.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { ago, bytes, moment } from '../times.js';

@customElement('page-health')
export class PageHealth extends LitElement {
  @property({ attribute: false }) alerts!: Alerts;
  /** What was new when the page was opened stays marked while it is open. */
  private fresh = new Set<number>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    new Follows(this);
  }

  override connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.requestUpdate(), 5000);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  override willUpdate() {
    for (const alert of this.alerts.list) if (this.alerts.isNew(alert)) this.fresh.add(alert.at_ms);
  }

  override updated() {
    if (document.visibilityState === 'visible') this.alerts.seen();
  }

  override render() {
    const state = home.state;
    if (!state) return nothing;
    const alerts = this.alerts.list;
    const now = Date.now();
    const linkKind = state.link === 'relay' ? 'good' : state.link === 'refused' ? 'bad' : 'warn';
    return html`<div class="head">
        <div>
          <h1>${S.titles.health}</h1>
          <p>${S.health.lead}</p>
        </div>
      </div>
      <div class="two">
        <section class="card stack">
          <div class="note ${linkKind}">
            ${icon(state.link === 'relay' ? 'check' : 'warning')}
            <div><strong>${S.link[state.link]}</strong>${state.link_reason ? html`<br />${state.link_reason}` : nothing}</div>
          </div>
          ${home.failed ? html`<div class="note bad">${icon('warning')}<div>${home.failed}</div></div>` : nothing}
          <dl class="facts">
            <dt>${S.health.hub}</dt>
            <dd>${state.hub_name}</dd>
            <dt>${S.health.hubSeen}</dt>
            <dd>${state.hub_seen_ms === null ? S.health.never : ago(state.hub_seen_ms, now)}</dd>
            <dt>${S.health.relay}</dt>
            <dd class="mono">${state.relay}</dd>
            <dt>${S.health.log}</dt>
            <dd>${state.caught_up ? S.health.caughtUp : S.health.behind}</dd>
            <dt>${S.health.outbox}</dt>
            <dd>${state.outbox === 0 ? S.health.outboxNone : S.health.messages(state.outbox)}</dd>
            <dt>${S.health.notifications}</dt>
            <dd>${state.notifications ?? S.health.notificationsFine}</dd>
            <dt>${S.health.cache}</dt>
            <dd>${bytes(state.cache_bytes)}</dd>
            <dt>${S.health.device}</dt>
            <dd>${state.device_name}</dd>
            <dt>${S.health.version}</dt>
            <dd>${state.version}</dd>
          </dl>
        </section>
        <section class="card stack">
          <h2>${S.health.alerts}</h2>
          ${alerts.length === 0
            ? html`<div class="note good">${icon('verified')}<div>${S.health.noAlerts}</div></div>`
            : html`<ul>
                ${alerts.map(
                  (alert) => html`<li>
                    ${icon('warning')}
                    <div class="grow">
                      <p>${alert.what}</p>
                      <p class="small soft">
                        ${moment(alert.at_ms, true)} ${this.fresh.has(alert.at_ms) ? html`<b>${S.health.new}</b>` : nothing}
                      </p>
                    </div>
                  </li>`,
                )}
              </ul>`}
        </section>
      </div>`;
  }

  static override styles = [
    look,
    css`
      .two {
        display: grid;
        gap: 20px;
        align-items: start;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
        max-width: 1200px;
      }
      li {
        display: flex;
        gap: 12px;
        padding: 13px 0;
        border-top: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      li:first-child {
        border: 0;
        padding-top: 0;
      }
      li .icon {
        color: var(--bad);
        margin-top: 1px;
      }
      b {
        margin-left: 6px;
        padding: 1px 8px;
        border-radius: 9px;
        background: var(--bad-soft);
        color: var(--bad);
        font-weight: 600;
      }
    `,
  ];
}
