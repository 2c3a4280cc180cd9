// A button with the ways to hear nothing of a camera (or of all) for a while. A popover, so that it closes as menus do and lies over everything.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';

import { Refused, api } from '../api/client.js';
import { words } from '../home.js';
import { toasts } from '../notify.js';
import { S } from '../strings.js';
import { clock, moment, nextMorning, startOfDay } from '../times.js';
import { icon } from './icons.js';
import { look } from './look.js';

const HOUR = 3_600_000;

@customElement('snooze-menu')
export class SnoozeMenu extends LitElement {
  /** Null: every camera. */
  @property({ attribute: false }) cameraId: string | null = null;
  @property() name = '';
  @property({ attribute: false }) untilMs: number | null = null;
  @query('.menu') private menu!: HTMLElement;
  @query('button') private button!: HTMLButtonElement;

  private get active(): number | null {
    return this.untilMs !== null && this.untilMs > Date.now() ? this.untilMs : null;
  }

  override render() {
    const until = this.active;
    const label = until === null ? (this.cameraId === null ? S.settings.snoozeAll : S.snooze.title) : S.snooze.until(short(until));
    const now = Date.now();
    return html`<button popovertarget="menu" aria-haspopup="true" aria-pressed=${until !== null ? 'true' : nothing}>
        ${icon('snooze')}<span>${label}</span>
      </button>
      <div id="menu" class="menu" popover role="group" aria-label=${S.snooze.choose(this.name)} @beforetoggle=${this.place}>
        <button class="quiet" @click=${() => this.set(Date.now() + HOUR)}>${S.snooze.hour}</button>
        <button class="quiet" @click=${() => this.set(Date.now() + 8 * HOUR)}>${S.snooze.hours}</button>
        <button class="quiet" @click=${() => this.set(nextMorning(now))}>${S.snooze.morning}</button>
        ${until !== null || this.cameraId === null
          ? html`<button class="quiet" @click=${() => this.set(null)}>${S.snooze.off}</button>`
          : nothing}
      </div>`;
  }

  private place = () => {
    const at = this.button.getBoundingClientRect();
    const below = at.bottom + 230 < innerHeight;
    this.menu.style.setProperty('left', `${Math.max(8, Math.min(at.left, innerWidth - 218))}px`);
    this.menu.style.setProperty('top', below ? `${at.bottom + 6}px` : 'auto');
    this.menu.style.setProperty('bottom', below ? 'auto' : `${innerHeight - at.top + 6}px`);
  };

  private async set(untilMs: number | null) {
    this.menu.hidePopover();
    try {
      await api.snooze(this.cameraId, untilMs);
      this.untilMs = untilMs;
      toasts.say(untilMs === null ? S.snooze.ended : S.snooze.until(short(untilMs)), { kind: 'good' });
    } catch (e) {
      // It is kept and sent when the hub can be reached: no error.
      const pending = e instanceof Refused && e.kind === 'offline';
      if (pending) this.untilMs = untilMs;
      toasts.say(words(e), { kind: pending ? 'warn' : 'bad' });
    }
    this.dispatchEvent(new Event('change'));
  }

  static override styles = [
    look,
    css`
      :host {
        display: inline-block;
      }
      .menu {
        position: fixed;
        inset: auto;
        margin: 0;
        width: 210px;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--raised);
        box-shadow: var(--shadow-high);
        padding: 6px;
      }
      .menu button {
        width: 100%;
        justify-content: flex-start;
        color: var(--ink);
      }
    `,
  ];
}

function short(ms: number): string {
  return startOfDay(ms) === startOfDay(Date.now()) ? clock(ms) : moment(ms);
}
