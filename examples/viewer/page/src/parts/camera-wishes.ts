// What is wanted of one camera: motion, its health, the pause after a notification, only some zones, and the snooze. Tells a changed wish, or
// nothing when something took effect at once and is to be read anew.

import { LitElement, css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';

import type { CameraSettings } from '../api/types.js';
import { S } from '../strings.js';
import { icon } from './icons.js';
import { look } from './look.js';
import './snooze-menu.js';

@customElement('camera-wishes')
export class CameraWishes extends LitElement {
  @property() name = '';
  @property({ attribute: false }) wish!: CameraSettings;

  override render() {
    const wish = this.wish;
    const pauses = [...new Set([...Object.keys(S.settings.cooldowns).map(Number), wish.cooldown_s])].sort((a, b) => a - b);
    return html`<article class="card stack" aria-label=${this.name}>
      <div class="row spread">
        <h3>${this.name}</h3>
        <snooze-menu .cameraId=${wish.camera_id} .name=${this.name} .untilMs=${wish.snooze_until_ms} @change=${this.again}></snooze-menu>
      </div>
      <div class="two">
        ${this.toggle('notify', S.settings.notify)} ${this.toggle('health', S.settings.health)}
      </div>
      <label class="line">
        <span class="grow">${S.settings.cooldown}</span>
        <select ?disabled=${!wish.notify} @change=${(e: Event) => this.set(e, { cooldown_s: Number((e.target as HTMLSelectElement).value) })}>
          ${pauses.map((s) => html`<option value=${s} ?selected=${s === wish.cooldown_s}>${S.settings.cooldowns[s] ?? S.settings.seconds(s)}</option>`)}
        </select>
      </label>
      <div class="line zones">
        <span class="grow">${S.settings.zones}</span>
        <div class="row">
          ${wish.zones.length === 0 ? html`<span class="small soft">${S.settings.zonesNone}</span>` : ''}
          ${wish.zones.map(
            (zone) => html`<span class="zone">${zone}<button
                class="quiet square"
                aria-label=${S.settings.zoneRemove(zone)}
                @click=${(e: Event) => this.set(e, { zones: wish.zones.filter((other) => other !== zone) })}
              >${icon('close')}</button></span>`,
          )}
          <form @submit=${this.addZone}>
            <input name="zone" maxlength="64" size="10" placeholder=${S.settings.zoneAdd} aria-label=${S.settings.zoneAdd} />
          </form>
        </div>
      </div>
    </article>`;
  }

  private toggle(name: 'notify' | 'health', label: string) {
    return html`<label class="line">
      <span class="grow">${label}</span>
      <input
        class="switch"
        type="checkbox"
        role="switch"
        .checked=${this.wish[name]}
        @change=${(e: Event) => this.set(e, { [name]: (e.target as HTMLInputElement).checked })}
      />
    </label>`;
  }

  private addZone = (e: SubmitEvent) => {
    e.preventDefault();
    const form = e.target as HTMLFormElement;
    const zone = String(new FormData(form).get('zone') ?? '').trim();
    if (zone && !this.wish.zones.includes(zone)) this.set(e, { zones: [...this.wish.zones, zone] });
    form.reset();
  };

  private again = (e: Event) => {
    e.stopPropagation();
    this.dispatchEvent(new CustomEvent('change'));
  };

  private set(e: Event, part: Partial<CameraSettings>) {
    e.stopPropagation();
    this.dispatchEvent(new CustomEvent('change', { detail: { ...this.wish, ...part } }));
  }

  static override styles = [
    look,
    css`
      .card {
        gap: 12px;
      }
      .two {
        display: grid;
        gap: 8px 32px;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr));
      }
      .line {
        display: flex;
        align-items: center;
        gap: 10px 16px;
        min-height: 40px;
      }
      .zones {
        flex-wrap: wrap;
      }
      .zone {
        display: inline-flex;
        align-items: center;
        gap: 2px;
        padding-left: 12px;
        border-radius: 17px;
        background: var(--accent-soft);
        color: var(--accent-strong);
        font-size: 0.9rem;
      }
      .zone button {
        width: 30px;
        min-height: 34px;
        color: inherit;
      }
      .zone .icon {
        width: 0.95rem;
      }
      form {
        display: inline;
      }
      form input {
        min-height: 36px;
        padding: 4px 10px;
        font-size: 0.92rem;
      }
    `,
  ];
}
