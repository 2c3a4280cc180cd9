// One camera: its live picture as large as there is room, what can be done with it, the proof of the last minute, and what happened there lately.

import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';

import { api } from '../api/client.js';
import type { Camera, HomeEvent } from '../api/types.js';
import { Follows, home } from '../home.js';
import type { LivePicture } from '../live/picture.js';
import { takeSnapshot } from '../live/snapshot.js';
import { toasts } from '../notify.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { clock, delay } from '../times.js';
import { cameraStyle } from './camera-style.js';
import '../live/picture.js';
import '../live/ribbon-strip.js';
import '../parts/event-list.js';
import '../parts/snooze-menu.js';
import '../parts/trust-badge.js';

const RECENT = 8;

@customElement('page-camera')
export class PageCamera extends LitElement {
  @property({ attribute: false }) cameraId = '';
  @state() private events: HomeEvent[] = [];
  @state() private snoozed: number | null = null;
  @state() private saving = false;
  @state() private full = false;
  @query('live-picture') private picture!: LivePicture | null;
  @query('.player') private player!: HTMLElement;

  constructor() {
    super();
    new Follows(this, (happening) => {
      if (happening.type === 'happened' && happening.event.camera_id === this.cameraId) void this.load();
      if (happening.type === 'wishes_changed') void this.load();
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    document.addEventListener('fullscreenchange', this.fullChanged);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener('fullscreenchange', this.fullChanged);
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has('cameraId')) void this.load();
  }

  private load = async () => {
    try {
      const [events, settings] = await Promise.all([api.events({ camera: this.cameraId, limit: RECENT }), api.settings()]);
      this.events = events.events;
      const its = (settings.pending ?? settings.kept).cameras.find((one) => one.camera_id === this.cameraId);
      this.snoozed = its?.snooze_until_ms ?? null;
    } catch {
      // The picture is what this page is for; events have a page of their own that says what is wrong.
    }
  };

  override render() {
    const camera = home.camera(this.cameraId);
    if (!camera) {
      return html`<div class="card empty">${icon('cameras')}<h2>${S.live.unknown}</h2><a href="#/cameras">${S.live.back}</a></div>`;
    }
    const picture = this.picture;
    const shown = Boolean(picture?.view?.shown) || picture?.trust.state === 'broken';
    return html`<div class="head">
        <div class="row title">
          <a class="button quiet square" href="#/cameras" aria-label=${S.live.back}>${icon('back')}</a>
          <h1>${camera.name}</h1>
          ${camera.online && shown ? html`<trust-badge .trust=${picture?.trust} .live=${picture?.liveTrust}></trust-badge>` : nothing}
        </div>
        <p class="age" aria-live="off">${camera.online ? (picture?.age ?? '') : S.live.offline}</p>
      </div>
      <div class="layout">
        <div class="stack">
          <div class="player" @keydown=${this.key}>
            <live-picture large .camera=${camera} @change=${() => this.requestUpdate()}></live-picture>
            ${this.bar(camera)}
          </div>
          <div class="card proof"><ribbon-strip .ribbon=${picture?.view?.ribbon ?? null}></ribbon-strip></div>
          ${this.missed()}
        </div>
        <aside class="stack">
          ${this.facts(camera)}
          <section class="card">
            <div class="row spread recent">
              <h2>${S.live.recent}</h2>
              <a class="small" href="#/events">${S.live.all}</a>
            </div>
            <event-list compact .events=${this.events}></event-list>
          </section>
        </aside>
      </div>`;
  }

  private bar(camera: Camera): TemplateResult {
    const view = this.picture?.view;
    const sound = view?.soundOn ?? false;
    return html`<div class="bar row">
      ${view?.canSound
        ? html`<button aria-pressed=${String(sound)} title=${S.live.soundWhy} @click=${this.sound}>
            ${icon(sound ? 'sound' : 'mute')}<span>${sound ? S.live.soundOff : S.live.soundOn}</span>
          </button>`
        : nothing}
      <button ?disabled=${this.saving || !view?.shown} @click=${this.snapshot}>
        ${this.saving ? html`<span class="spin"></span>` : icon('snapshot')}<span>${this.saving ? S.live.snapshotWaits : S.live.snapshot}</span>
      </button>
      <snooze-menu .cameraId=${camera.id} .name=${camera.name} .untilMs=${this.snoozed} @change=${this.load}></snooze-menu>
      <span class="grow"></span>
      ${view?.format?.substream ? html`<span class="small soft">${S.live.substream}</span>` : nothing}
      <button aria-label=${this.full ? S.live.fullscreenEnd : S.live.fullscreen} title=${S.live.fullscreen} class="square" @click=${this.fullscreen}>
        ${icon(this.full ? 'shrink' : 'expand')}
      </button>
    </div>`;
  }

  private facts(camera: Camera): TemplateResult {
    const view = this.picture?.view;
    const format = view?.format;
    const f = S.live.fact;
    return html`<section class="card stack">
      <h2>${S.live.facts}</h2>
      <dl class="facts">
        <dt>${f.latency}</dt>
        <dd>${view?.phase === 'live' && view.shown ? delay(Math.max(0, view.lagMs)) : '–'}</dd>
        <dt>${f.checked}</dt>
        <dd>${view?.stats ? S.live.checked(view.stats.verified, view.stats.broken) : '–'}</dd>
        <dt>${f.dropped}</dt>
        <dd>${view?.stats?.dropped ?? '–'}</dd>
        <dt>${f.size}</dt>
        <dd>${format?.width || camera.width} × ${format?.height || camera.height}</dd>
        <dt>${f.codec}</dt>
        <dd>${format?.codec || camera.codec}${format?.audio_codec ? ` + ${format.audio_codec}` : ''}</dd>
        <dt>${f.path}</dt>
        <dd>${view && view.phase !== 'unplayable' ? S.live.paths[view.path] : '–'}</dd>
        <dt>${f.signer}</dt>
        <dd class="mono">${camera.signer}</dd>
      </dl>
    </section>`;
  }

  private missed(): TemplateResult | typeof nothing {
    const missed = this.picture?.view?.missed ?? [];
    if (missed.length === 0) return nothing;
    return html`<section class="card stack">
      <h2>${S.gap.title}</h2>
      <ul class="missed">
        ${[...missed].reverse().map(
          (one) => html`<li><span>${clock(one.atMs, true)}</span>${S.gap.missed(one.frames)}: ${S.gap.reasons[one.reason]}</li>`,
        )}
      </ul>
    </section>`;
  }

  private sound = () => {
    const view = this.picture?.view;
    view?.setSound(!view.soundOn);
  };

  private snapshot = async () => {
    const camera = home.camera(this.cameraId);
    const picture = this.picture;
    if (!picture?.view || !camera || this.saving) return;
    this.saving = true;
    const taken = await takeSnapshot(picture.view, picture.canvas, camera.name);
    this.saving = false;
    if (taken.kind === 'saved') {
      const said = taken.verified ? S.live.snapshotSaved : S.live.snapshotUnverified;
      toasts.say(said, { body: taken.name, kind: taken.verified ? 'good' : 'warn' });
    } else if (taken.kind === 'broken') {
      toasts.say(S.live.snapshotBroken, { body: taken.why, kind: 'bad' });
    } else {
      toasts.say(S.live.snapshotNothing, { kind: 'warn' });
    }
  };

  private fullscreen = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void this.player.requestFullscreen().catch(() => undefined);
  };

  private fullChanged = () => {
    this.full = document.fullscreenElement !== null;
  };

  /** While something of the player has the focus. */
  private key = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'f') this.fullscreen();
    else if (e.key === 'm' && this.picture?.view?.canSound) this.sound();
    else if (e.key === 's') void this.snapshot();
  };

  static override styles = [look, cameraStyle];
}
