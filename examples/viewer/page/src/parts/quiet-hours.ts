// Edits the quiet hours: for each its days (a bit set, Monday is bit 0) and its first and last minute. An end that is not after the beginning is
// on the next day.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';

import type { QuietHours } from '../api/types.js';
import { S } from '../strings.js';
import { minutes } from '../times.js';
import { icon } from './icons.js';
import { look } from './look.js';

const MOST = 16;
const NEW: QuietHours = { days: 0b111_1111, from_min: 22 * 60, to_min: 7 * 60 };

/** `07:30` as minutes after midnight. */
export function minutesOf(time: string): number | null {
  const parts = /^(\d\d):(\d\d)$/.exec(time);
  return parts ? Number(parts[1]) * 60 + Number(parts[2]) : null;
}

@customElement('quiet-hours')
export class QuietHoursEditor extends LitElement {
  @property({ attribute: false }) hours: QuietHours[] = [];

  override render() {
    return html`<div class="row spread">
        <div>
          <h3>${S.settings.quiet}</h3>
          <p class="small soft">${S.settings.quietWhy}</p>
        </div>
        <button ?disabled=${this.hours.length >= MOST} @click=${() => this.tell([...this.hours, NEW])}>${icon('plus')}${S.settings.quietAdd}</button>
      </div>
      ${this.hours.length === 0 ? html`<p class="small soft">${S.settings.quietNone}</p>` : nothing}
      <ul>
        ${this.hours.map((one, i) => html`<li>${this.one(one, i)}</li>`)}
      </ul>`;
  }

  private one(one: QuietHours, i: number): TemplateResult {
    const set = (part: Partial<QuietHours>) => this.tell(this.hours.map((other, j) => (j === i ? { ...other, ...part } : other)));
    const time = (e: Event) => minutesOf((e.target as HTMLInputElement).value);
    return html`<div class="days" role="group" aria-label=${S.settings.quietDays}>
        ${S.settings.days.map((name, day) => {
          const on = (one.days & (1 << day)) !== 0;
          return html`<button class="chip" aria-pressed=${String(on)} @click=${() => set({ days: one.days ^ (1 << day) })}>${name}</button>`;
        })}
      </div>
      <div class="row times">
        <label>${S.settings.quietFrom} <input type="time" .value=${minutes(one.from_min)} @change=${(e: Event) => set({ from_min: time(e) ?? one.from_min })} /></label>
        <label>${S.settings.quietTo} <input type="time" .value=${minutes(one.to_min % 1440)} @change=${(e: Event) => set({ to_min: time(e) ?? one.to_min })} /></label>
        ${one.to_min <= one.from_min ? html`<span class="small soft">${S.settings.quietNext}</span>` : nothing}
        <span class="grow"></span>
        <button class="quiet square" aria-label=${S.settings.quietRemove} title=${S.settings.quietRemove} @click=${() => this.tell(this.hours.filter((_, j) => j !== i))}>
          ${icon('trash')}
        </button>
      </div>`;
  }

  private tell(hours: QuietHours[]) {
    this.dispatchEvent(new CustomEvent('change', { detail: hours }));
  }

  static override styles = [
    look,
    css`
      :host {
        display: grid;
        gap: 12px;
      }
      li {
        display: grid;
        gap: 10px;
        padding: 14px;
        border-radius: 14px;
        background: var(--sunken);
      }
      li + li {
        margin-top: 10px;
      }
      .days {
        display: flex;
        gap: 6px;
        flex-wrap: wrap;
      }
      .days .chip {
        min-width: 46px;
        padding: 0 8px;
      }
      .times label {
        display: inline-flex;
        align-items: center;
        gap: 8px;
      }
    `,
  ];
}
