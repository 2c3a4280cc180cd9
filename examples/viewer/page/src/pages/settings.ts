// What this device is told, and when. What is changed here is a draft until it is saved; what was saved and not confirmed by the hub is pending,
// which is shown and is no error. Profile and snoozes take effect at once.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { Refused, api } from '../api/client.js';
import type { CameraSettings, Settings, SettingsState } from '../api/types.js';
import { Follows, home, words } from '../home.js';
import { permission, toasts } from '../notify.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { theme, type Choice } from '../theme.js';
import '../parts/camera-wishes.js';
import '../parts/quiet-hours.js';
import '../parts/snooze-menu.js';

@customElement('page-settings')
export class PageSettings extends LitElement {
  @state() private known: SettingsState | null = null;
  @state() private draft: Settings | null = null;
  @state() private saving = false;
  @state() private failed = '';

  constructor() {
    super();
    new Follows(this, ({ type }) => {
      if (type === 'wishes_changed' || type === 'cameras_changed' || type === 'rejoined') void this.load();
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  private load = async () => {
    try {
      const dirty = this.dirty;
      this.known = await api.settings();
      this.failed = '';
      const base = this.base;
      if (!dirty || !this.draft || !base) this.draft = structuredClone(base);
      else this.draft = { ...this.draft, profile: base.profile, cameras: withSnoozes(this.draft.cameras, base.cameras) };
    } catch (e) {
      this.failed = words(e);
    }
  };

  /** What a change begins with: what was asked for last. */
  private get base(): Settings | null {
    return this.known ? (this.known.pending ?? this.known.kept) : null;
  }

  private get dirty(): boolean {
    return this.draft !== null && JSON.stringify(this.draft) !== JSON.stringify(this.base);
  }

  private change(part: Partial<Settings>) {
    if (this.draft) this.draft = { ...this.draft, ...part };
  }

  override render() {
    const draft = this.draft;
    return html`<div class="head">
        <div>
          <h1>${S.titles.settings}</h1>
          <p>${S.settings.lead}</p>
        </div>
        ${draft ? html`<snooze-menu .cameraId=${null} name=${S.settings.cameras} @change=${this.load}></snooze-menu>` : nothing}
      </div>
      <div class="column">
        ${this.failed ? html`<div class="note bad" role="alert">${icon('warning')}<div>${this.failed}</div></div>` : nothing}
        ${this.known?.pending ? html`<div class="note warn" role="status" data-pending>${icon('pending')}<div>${S.settings.pending}</div></div>` : nothing}
        ${this.known && !this.known.known ? html`<div class="note">${icon('info')}<div>${S.settings.unknown}</div></div>` : nothing}
        ${draft ? [this.profile(draft), this.when(draft), this.cameras(draft)] : nothing} ${this.browser()}
      </div>
      ${this.dirty ? this.saveBar() : nothing}`;
  }

  private profile(draft: Settings): TemplateResult {
    return html`<section class="card line">
      <div class="grow">
        <h2>${S.settings.profile}</h2>
        <p class="small soft">${S.settings.profileWhy}</p>
      </div>
      <div class="segmented" role="group" aria-label=${S.settings.profile}>
        ${(['home', 'away'] as const).map(
          (profile) => html`<button aria-pressed=${String(draft.profile === profile)} @click=${() => this.setProfile(profile)}>
            ${icon(profile)}${S.settings[profile]}
          </button>`,
        )}
      </div>
    </section>`;
  }

  private when(draft: Settings): TemplateResult {
    const zones = ['', ...Intl.supportedValuesOf('timeZone')];
    if (!zones.includes(draft.time_zone)) zones.push(draft.time_zone);
    return html`<section class="card stack">
      <h2>${S.settings.told}</h2>
      <label class="line">
        <span class="grow">${S.settings.awayOnly}</span>
        <input
          class="switch"
          type="checkbox"
          role="switch"
          .checked=${draft.away_only}
          @change=${(e: Event) => this.change({ away_only: (e.target as HTMLInputElement).checked })}
        />
      </label>
      <hr />
      <quiet-hours
        .hours=${draft.quiet}
        @change=${(e: CustomEvent<Settings['quiet']>) => {
          e.stopPropagation();
          this.change({ quiet: e.detail });
        }}
      ></quiet-hours>
      <label class="line zone">
        <span class="grow">${S.settings.zone}</span>
        <select @change=${(e: Event) => this.change({ time_zone: (e.target as HTMLSelectElement).value })}>
          ${zones.map((zone) => html`<option value=${zone} ?selected=${zone === draft.time_zone}>${zone === '' ? S.settings.zoneUtc : zone.replaceAll('_', ' ')}</option>`)}
        </select>
      </label>
    </section>`;
  }

  private cameras(draft: Settings): TemplateResult {
    return html`<section class="stack">
      <h2 class="group">${S.settings.cameras}</h2>
      <div class="cameras">
        ${draft.cameras.map(
          (one) => html`<camera-wishes
            .name=${home.camera(one.camera_id)?.name ?? one.camera_id}
            .wish=${one}
            @change=${(e: CustomEvent<CameraSettings | undefined>) => {
              e.stopPropagation();
              if (!e.detail) void this.load();
              else this.change({ cameras: draft.cameras.map((other) => (other.camera_id === one.camera_id ? (e.detail as CameraSettings) : other)) });
            }}
          ></camera-wishes>`,
        )}
      </div>
    </section>`;
  }

  private browser(): TemplateResult {
    const may = permission();
    const said = { granted: S.settings.notificationsOn, denied: S.settings.notificationsDenied, none: S.settings.notificationsNone, default: '' }[may];
    return html`<section class="stack">
      <h2 class="group">${S.settings.browser}</h2>
      <div class="card stack">
        <div class="line">
          <div class="grow">
            <h3>${S.settings.notifications}</h3>
            <p class="small soft">${S.settings.notificationsWhy}</p>
          </div>
          ${may === 'default'
            ? html`<button @click=${this.askPermission}>${S.settings.notificationsAsk}</button>`
            : html`<span class="small soft">${said}</span>`}
        </div>
        <hr />
        <div class="line">
          <h3 class="grow">${S.theme.label}</h3>
          <div class="segmented" role="group" aria-label=${S.theme.label}>
            ${(['system', 'light', 'dark'] as Choice[]).map(
              (choice) => html`<button
                aria-pressed=${String(theme.choice === choice)}
                @click=${() => {
                  theme.choose(choice);
                  this.requestUpdate();
                }}
              >
                ${S.theme[choice]}
              </button>`,
            )}
          </div>
        </div>
      </div>
    </section>`;
  }

  private saveBar(): TemplateResult {
    const complete = this.draft?.quiet.every((hours) => hours.days !== 0) ?? false;
    return html`<div class="save row" role="region" aria-label=${S.settings.dirty}>
      <span class="grow">${complete ? S.settings.dirty : S.settings.quietNoDay}</span>
      <button ?disabled=${this.saving} @click=${() => (this.draft = structuredClone(this.base))}>${S.settings.discard}</button>
      <button class="primary" ?disabled=${this.saving || !complete} @click=${this.save}>
        ${this.saving ? html`<span class="spin"></span>${S.settings.saving}` : S.settings.save}
      </button>
    </div>`;
  }

  private save = async () => {
    const draft = this.draft;
    if (!draft) return;
    this.saving = true;
    // The profile is said by its own request: left out here, so that another phone's word on it is not turned back.
    const outcome = await this.ask(() => api.putSettings({ ...draft, profile: null }));
    if (outcome === 'kept') toasts.say(S.settings.saved, { kind: 'good' });
    // What the hub did not take stays as a draft; what it has yet to confirm is pending, and no draft any more.
    if (outcome !== 'refused') this.draft = null;
    this.saving = false;
    await this.load();
  };

  private async setProfile(profile: 'home' | 'away') {
    if (this.draft?.profile === profile) return;
    this.change({ profile });
    if (this.known) this.known = { ...this.known, kept: { ...this.known.kept, profile } };
    await this.ask(() => api.profile(profile));
    await this.load();
  }

  private async ask(act: () => Promise<unknown>): Promise<'kept' | 'pending' | 'refused'> {
    try {
      await act();
      return 'kept';
    } catch (e) {
      const pending = e instanceof Refused && e.kind === 'offline';
      toasts.say(words(e), { kind: pending ? 'warn' : 'bad' });
      return pending ? 'pending' : 'refused';
    }
  }

  private askPermission = async () => {
    await Notification.requestPermission();
    this.requestUpdate();
  };

  static override styles = [
    look,
    css`
      .head {
        max-width: 860px;
      }
      .column {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 22px;
        max-width: 860px;
      }
      .line {
        display: flex;
        align-items: center;
        gap: 14px 20px;
        flex-wrap: wrap;
      }
      .line > div.grow {
        flex-basis: 200px;
      }
      label.line {
        flex-wrap: nowrap;
        cursor: pointer;
      }
      .zone {
        flex-wrap: wrap !important;
      }
      .group {
        padding-left: 4px;
      }
      .cameras {
        display: grid;
        gap: 14px;
      }
      hr {
        border: 0;
        border-top: 1px solid var(--line);
        margin: 0;
        width: 100%;
      }
      .save {
        position: sticky;
        bottom: 16px;
        margin-top: 22px;
        max-width: 860px;
        padding: 12px 14px 12px 20px;
        border-radius: 16px;
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow-high);
        font-weight: 550;
        z-index: 3;
      }
      @media (max-width: 860px) {
        .save {
          bottom: 84px;
        }
      }
    `,
  ];
}

/** Snoozes take effect at once: the draft's are the hub's. */
function withSnoozes(draft: CameraSettings[], base: CameraSettings[]): CameraSettings[] {
  return base.map((one) => {
    const drafted = draft.find((other) => other.camera_id === one.camera_id);
    return drafted ? { ...drafted, snooze_until_ms: one.snooze_until_ms } : one;
  });
}
