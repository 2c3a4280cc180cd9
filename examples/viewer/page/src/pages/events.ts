// What happened: the timeline of all cameras with a picture of the chosen clip beside it, and below it the events, newest first.

import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { api } from '../api/client.js';
import type { Clip, HomeEvent } from '../api/types.js';
import { clipsBetween, eventsBetween } from '../clips.js';
import { Follows, home, words } from '../home.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { hashOf } from '../route.js';
import { S } from '../strings.js';
import { DAY, clock, moment, span } from '../times.js';
import { layOut, type Row } from '../timeline/rows.js';
import { eventsStyle } from './events-style.js';
import '../parts/event-list.js';
import '../parts/trust-badge.js';
import '../timeline/clip-picture.js';
import '../timeline/strip.js';

const RANGES = { day: DAY, week: 7 * DAY };
const LIST = 40;
const AGAIN_MS = 400;
/** What is going on now is not drawn onto the edge. */
const MARGIN = 0.012;

@customElement('page-events')
export class PageEvents extends LitElement {
  @state() private range: keyof typeof RANGES = 'day';
  @state() private camera: string | null = null;
  @state() private to = Date.now();
  @state() private clips: Clip[] | null = null;
  @state() private told: HomeEvent[] = [];
  @state() private more = false;
  @state() private events: HomeEvent[] = [];
  @state() private next: string | null = null;
  @state() private chosen: Clip | null = null;
  @state() private heat = true;
  @state() private failed = '';
  @state() private round = 0;
  private soon: ReturnType<typeof setTimeout> | undefined;
  /** Answers to questions that were overtaken are dropped. */
  private asked = 0;

  constructor() {
    super();
    new Follows(this, ({ type }) => {
      if (['happened', 'clip_started', 'clip_ready', 'clip_notes', 'clips_forgotten', 'rejoined', 'missed'].includes(type)) {
        this.soon ??= setTimeout(() => void this.load(), AGAIN_MS);
      }
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.soon);
  }

  private async load() {
    clearTimeout(this.soon);
    this.soon = undefined;
    this.asked += 1;
    const asked = this.asked;
    const to = Date.now();
    const from = to - RANGES[this.range];
    const camera = this.camera ?? undefined;
    try {
      const [clips, told, list] = await Promise.all([
        clipsBetween(from, to, camera),
        eventsBetween(from, to, camera),
        api.events({ camera, limit: LIST }),
      ]);
      if (asked !== this.asked) return;
      this.to = to;
      this.clips = clips.clips;
      this.more = clips.more;
      this.told = told;
      this.events = list.events;
      this.next = list.next;
      this.failed = '';
      this.chosen = clips.clips.find((clip) => clip.id === this.chosen?.id) ?? clips.clips.find((clip) => clip.finished) ?? clips.clips[0] ?? null;
    } catch (e) {
      if (asked === this.asked) this.failed = words(e);
    }
    this.round += 1;
  }

  private async older() {
    if (!this.next) return;
    try {
      const list = await api.events({ camera: this.camera ?? undefined, page: this.next, limit: LIST });
      this.next = list.next;
      const oldest = list.events.at(-1)?.at_ms;
      const newest = list.events[0]?.at_ms;
      if (oldest !== undefined && newest !== undefined) await clipsBetween(oldest - 120_000, newest + 1, this.camera ?? undefined);
      this.events = [...this.events, ...list.events];
    } catch (e) {
      this.failed = words(e);
    }
    this.round += 1;
  }

  override render() {
    const from = this.to - RANGES[this.range];
    const cameras = home.cameras.filter((one) => this.camera === null || one.id === this.camera);
    const rows = layOut(cameras, this.clips ?? [], this.told, from, this.to);
    return html`<div class="head">
        <div>
          <h1>${S.titles.events}</h1>
          <p>${S.events.lead}</p>
        </div>
        <div class="row" role="group" aria-label=${S.events.filter}>
          ${this.chip(null, S.events.allCameras)} ${home.cameras.map((one) => this.chip(one.id, one.name))}
        </div>
      </div>
      ${this.failed ? html`<div class="note bad failed">${icon('warning')}<div>${this.failed}</div></div>` : nothing}
      <section class="card timeline">
        <div class="grow stack">
          <div class="row spread">
            <div class="segmented" role="group" aria-label=${S.events.range}>
              ${(['day', 'week'] as const).map(
                (range) => html`<button aria-pressed=${String(this.range === range)} @click=${() => this.setRange(range)}>${S.events[range]}</button>`,
              )}
            </div>
            <p class="small soft hint">${S.events.hint}</p>
          </div>
          <time-strip
            .rows=${rows}
            .from=${from}
            .to=${this.to + (this.to - from) * MARGIN}
            .chosen=${this.chosen}
            @choose=${(e: CustomEvent<Clip>) => (this.chosen = e.detail)}
            @play=${(e: CustomEvent<Clip>) => (location.hash = hashOf({ page: 'clip', id: e.detail.id }))}
          ></time-strip>
          ${this.legend(rows)}
        </div>
        ${this.preview(rows)}
      </section>
      <section class="list">
        <event-list .events=${this.events} .round=${this.round}></event-list>
        ${this.next ? html`<button @click=${this.older}>${S.more}</button>` : nothing}
      </section>`;
  }

  private chip(id: string | null, name: string): TemplateResult {
    return html`<button class="chip" aria-pressed=${String(this.camera === id)} @click=${() => this.setCamera(id)}>${name}</button>`;
  }

  private setCamera(id: string | null) {
    this.camera = id;
    void this.load();
  }

  private setRange(range: keyof typeof RANGES) {
    this.range = range;
    void this.load();
  }

  private legend(rows: Row[]): TemplateResult {
    const has = {
      clip: true,
      pinned: rows.some((row) => row.clips.some((clip) => clip.notes?.pinned)),
      broken: rows.some((row) => row.clips.some((clip) => clip.trust.state === 'broken')),
      offline: rows.some((row) => row.offline.length > 0),
    };
    return html`<ul class="row legend">
      ${(['clip', 'pinned', 'broken', 'offline'] as const).map((name) => (has[name] ? html`<li class=${name}>${S.events.legend[name]}</li>` : nothing))}
      ${this.more ? html`<li class="plain">${S.events.tooMany}</li>` : nothing}
    </ul>`;
  }

  private preview(rows: Row[]): TemplateResult {
    const clip = this.chosen;
    if (!clip) {
      return html`<div class="preview none"><p class="soft">${this.clips === null ? S.loading : S.events.noClips}</p></div>`;
    }
    const name = rows.find((row) => row.cameraId === clip.camera_id)?.name ?? '';
    const length = clip.finished ? span(clip.duration_ms) : S.events.recording;
    return html`<div class="preview stack">
      <div class="picture">
        <clip-picture badge .clip=${clip} ?heat=${this.heat}></clip-picture>
        <a href=${hashOf({ page: 'clip', id: clip.id })} aria-label="${S.events.play}: ${S.events.clipAt(name, moment(clip.start_ms), length)}">
          <span class="play">${icon('play')}</span>
        </a>
      </div>
      <div class="row spread">
        <div>
          <h2>${name}</h2>
          <p class="small soft">${clock(clip.start_ms, true)} · ${length}${clip.notes?.zones.length ? html` · ${S.events.zones(clip.notes.zones)}` : nothing}</p>
        </div>
        <trust-badge of=${S.titles.clip} .trust=${clip.trust} .atMs=${clip.start_ms}></trust-badge>
      </div>
      <button class="chip" aria-pressed=${String(this.heat)} ?disabled=${!clip.notes} @click=${() => (this.heat = !this.heat)}>
        ${icon('heat')}${S.events.heat}
      </button>
    </div>`;
  }

  static override styles = [look, eventsStyle];
}
