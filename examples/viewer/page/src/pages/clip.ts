// One clip: its film over HTTP ranges in the browser's own player, where in the picture something moved and when most, what is known of it, and
// the full check. Of a broken clip there is no picture, only what is wrong with it.

import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';

import { Refused, api, exportPath, videoPath } from '../api/client.js';
import type { Clip, Report } from '../api/types.js';
import { findClip, knownClip } from '../clips.js';
import { Follows, home, words } from '../home.js';
import { toasts } from '../notify.js';
import { icon } from '../parts/icons.js';
import { lay } from '../parts/lay.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { paintHeat } from '../timeline/heat.js';
import { bytes, clock, moment, span } from '../times.js';
import { clipStyle } from './clip-style.js';
import '../parts/check-report.js';
import '../parts/trust-badge.js';

@customElement('page-clip')
export class PageClip extends LitElement {
  @property({ attribute: false }) clipId = '';
  @state() private clip: Clip | null = null;
  @state() private looked = false;
  @state() private failed = '';
  /** Why there is no film, in the server's words. */
  @state() private broken = '';
  @state() private heat = false;
  @state() private lengthMs = 0;
  @state() private ratio = '16 / 9';
  @state() private report: Report | null = null;
  @state() private checking = false;
  @query('video') private video!: HTMLVideoElement | null;
  @query('canvas') private canvas!: HTMLCanvasElement | null;

  constructor() {
    super();
    new Follows(this, (happening) => {
      const about = 'clip_id' in happening && happening.clip_id === this.clipId;
      if (about || (happening.type === 'clips_forgotten' && happening.clip_ids.includes(this.clipId))) void this.load();
    });
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (!changed.has('clipId')) return;
    this.clip = knownClip(this.clipId);
    this.looked = false;
    this.broken = '';
    this.failed = '';
    this.report = null;
    this.lengthMs = 0;
    void this.load();
  }

  private async load() {
    const id = this.clipId;
    try {
      const clip = await findClip(id);
      if (id !== this.clipId) return;
      this.clip = clip;
      this.looked = true;
    } catch (e) {
      if (id === this.clipId) this.failed = words(e);
    }
  }

  override updated() {
    if (this.canvas && this.clip?.notes) paintHeat(this.canvas, this.clip.notes.heat);
  }

  override render() {
    const clip = this.clip;
    if (!clip) return this.none();
    const camera = home.camera(clip.camera_id)?.name ?? '';
    const trust = this.broken ? { state: 'broken' as const, why: this.broken } : clip.trust;
    return html`<div class="head">
        <div class="row title">
          <a class="button quiet square" href="#/events" aria-label=${S.clip.back}>${icon('back')}</a>
          <div>
            <h1>${camera || S.titles.clip}</h1>
            <p>${moment(clip.start_ms, true)}</p>
          </div>
        </div>
        <trust-badge .trust=${trust} .atMs=${clip.start_ms}></trust-badge>
      </div>
      <div class="layout">
        <div class="stack">
          ${this.failed ? html`<div class="note bad">${icon('warning')}<div><strong>${S.clip.cannot}</strong><br />${this.failed}</div></div>` : nothing}
          ${this.film(clip)}
          ${clip.first_segment > 0 ? html`<div class="note">${icon('info')}<div>${S.clip.partial}</div></div>` : nothing}
          ${this.check()}
        </div>
        <aside class="stack">${this.facts(clip, camera)}</aside>
      </div>`;
  }

  private none(): TemplateResult {
    if (this.failed) return html`<div class="note bad">${icon('warning')}<div>${this.failed}</div></div>`;
    if (!this.looked) return html`<p class="soft" role="status">${S.loading}</p>`;
    return html`<div class="card empty">
      ${icon('events')}
      <h2>${S.clip.unknown}</h2>
      <p>${S.clip.unknownWhy}</p>
      <a href="#/events">${S.clip.back}</a>
    </div>`;
  }

  private film(clip: Clip): TemplateResult {
    const why = this.broken || (clip.trust.state === 'broken' ? clip.trust.why : '');
    if (why) {
      return html`<div class="player instead bad" role="alert" data-trust="broken">
        ${icon('broken')}<strong>${S.clip.broken}</strong><p>${why}</p><p>${S.clip.brokenWhy}</p>
      </div>`;
    }
    if (!clip.finished) {
      return html`<div class="player instead">${icon('cameras')}<strong>${S.clip.recording}</strong><p>${S.clip.recordingWhy}</p></div>`;
    }
    return html`<div class="player">
      <div class="stage">
        <video
          controls
          playsinline
          preload="metadata"
          aria-label=${S.clip.player}
          src=${videoPath(clip.id)}
          @error=${this.filmFailed}
          @loadedmetadata=${this.measured}
        ></video>
        ${this.heat && clip.notes ? html`<canvas ${lay({ 'aspect-ratio': this.ratio })}></canvas>` : nothing}
      </div>
      ${clip.notes ? this.strip(clip) : nothing}
    </div>`;
  }

  /** Where the peak is in what can be played here: that may begin later than the clip did, and ends where it does. */
  private peakMs(clip: Clip): number {
    const missing = Math.max(0, clip.duration_ms - this.lengthMs);
    const at = (clip.notes?.peak_ms ?? 0) - clip.start_ms - (clip.first_segment > 0 ? missing : 0);
    return Math.min(this.lengthMs, Math.max(0, at));
  }

  private strip(clip: Clip): TemplateResult {
    const peak = this.peakMs(clip);
    return html`<div class="strip">
      ${this.lengthMs > 0
        ? html`<div class="track">
            <button
              class="peak"
              ${lay({ left: `${(100 * peak) / this.lengthMs}%` })}
              title=${S.clip.toPeak}
              aria-label="${S.clip.toPeak} (${clock(clip.notes?.peak_ms ?? 0, true)})"
              @click=${() => this.seek(peak)}
            ></button>
          </div>`
        : nothing}
      <div class="row">
        <button class="chip" @click=${() => this.seek(peak)}>${icon('motion')}${S.clip.peak}</button>
        <button class="chip" aria-pressed=${String(this.heat)} @click=${() => (this.heat = !this.heat)}>${icon('heat')}${S.clip.heat}</button>
      </div>
    </div>`;
  }

  private check(): TemplateResult {
    return html`<section class="card stack">
      <div class="row">
        <button class="primary" ?disabled=${this.checking} @click=${this.checkAll}>
          ${this.checking ? html`<span class="spin"></span>` : icon('verified')}
          ${this.checking ? S.clip.checking : this.report ? S.clip.checkAgain : S.clip.check}
        </button>
        <a class="button" href=${exportPath(this.clipId)} download title=${S.clip.exportWhy}>${icon('download')}${S.clip.export}</a>
        ${this.clip?.notes
          ? html`<button aria-pressed=${String(this.clip.notes.pinned)} title=${S.clip.pinWhy} @click=${this.pin}>
              ${icon('pin')}${this.clip.notes.pinned ? S.clip.pinned : S.clip.pin}
            </button>`
          : nothing}
      </div>
      ${this.report ? html`<check-report .report=${this.report}></check-report>` : nothing}
    </section>`;
  }

  private facts(clip: Clip, camera: string): TemplateResult {
    const f = S.clip.facts;
    return html`<dl class="card facts">
      <dt>${f.camera}</dt>
      <dd>${camera ? html`<a href="#/camera/${clip.camera_id}">${camera}</a>` : clip.camera_id}</dd>
      <dt>${f.start}</dt>
      <dd>${moment(clip.start_ms, true)}</dd>
      <dt>${f.length}</dt>
      <dd>${clip.finished ? span(clip.duration_ms) : S.clip.recording}</dd>
      <dt>${f.size}</dt>
      <dd>${clip.finished ? bytes(clip.bytes) : '–'}</dd>
      ${clip.notes?.zones.length ? html`<dt>${f.zones}</dt><dd>${S.events.zones(clip.notes.zones)}</dd>` : nothing}
      ${clip.notes ? html`<dt>${S.clip.peak}</dt><dd>${clock(clip.notes.peak_ms, true)}</dd>` : nothing}
      <dt>${f.where}</dt>
      <dd>${clip.local ? S.clip.here : S.clip.away}</dd>
      <dt>${f.id}</dt>
      <dd class="mono">${clip.id}</dd>
    </dl>`;
  }

  private measured = () => {
    const video = this.video;
    if (!video) return;
    if (Number.isFinite(video.duration)) this.lengthMs = video.duration * 1000;
    if (video.videoWidth > 0) this.ratio = `${video.videoWidth} / ${video.videoHeight}`;
  };

  private seek(ms: number) {
    if (this.video) this.video.currentTime = ms / 1000;
  }

  /** The player only knows that it failed; the server says why. */
  private filmFailed = async () => {
    const id = this.clipId;
    try {
      const why = await api.whyNoVideo(id);
      if (id !== this.clipId) return;
      if (why?.kind === 'not-verified') this.broken = why.message;
      else this.failed = why?.message ?? S.clip.unplayable;
    } catch (e) {
      if (id === this.clipId) this.failed = words(e);
    }
  };

  private checkAll = async () => {
    const id = this.clipId;
    this.checking = true;
    try {
      const report = await api.report(id);
      if (id === this.clipId) {
        this.report = report;
        if (!report.ok) this.broken = report.problems.join('; ') || S.clip.report.bad;
      }
    } catch (e) {
      if (id === this.clipId && e instanceof Refused && e.kind === 'not-verified') this.broken = e.message;
      else toasts.say(words(e), { kind: 'bad' });
    }
    this.checking = false;
    await this.load();
  };

  private pin = async () => {
    const notes = this.clip?.notes;
    if (!notes) return;
    try {
      await api.pin(this.clipId, !notes.pinned);
    } catch (e) {
      toasts.say(words(e), { kind: e instanceof Refused && e.kind === 'offline' ? 'warn' : 'bad' });
    }
    await this.load();
  };

  static override styles = [look, clipStyle];
}
