// The timeline: a canvas that is pointed at, dragged over and moved on with the keys. It says which clip is chosen (`choose`) and which is to be
// played (`play`); to a screen reader it is a slider whose value is the clip in words.

import { LitElement, css, html } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';

import type { Clip } from '../api/types.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { theme } from '../theme.js';
import { moment, span } from '../times.js';
import { AXIS_PX, ROW_PX, height, paint } from './paint.js';
import { nearest, neighbour, type Row, type Way } from './rows.js';
import { timeAt, xOf } from './scale.js';

const KEYS: Record<string, Way> = {
  ArrowLeft: 'older',
  ArrowRight: 'newer',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
};
/** A clip is meant from so far away. */
const REACH_PX = 24;

@customElement('time-strip')
export class TimeStrip extends LitElement {
  @property({ attribute: false }) rows: Row[] = [];
  @property({ attribute: false }) from = 0;
  @property({ attribute: false }) to = 1;
  @property({ attribute: false }) chosen: Clip | null = null;
  @state() private width = 0;
  @state() private pointer: number | null = null;
  @query('canvas') private canvas!: HTMLCanvasElement;
  private sizes = new ResizeObserver(([entry]) => {
    if (entry) this.width = Math.floor(entry.contentRect.width);
  });

  override connectedCallback() {
    super.connectedCallback();
    this.sizes.observe(this);
    theme.addEventListener('change', this.redraw);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.sizes.disconnect();
    theme.removeEventListener('change', this.redraw);
  }

  override render() {
    const all = this.rows.flatMap((row) => row.clips).sort((a, b) => a.start_ms - b.start_ms);
    const at = all.findIndex((clip) => clip.id === this.chosen?.id);
    return html`<canvas
      tabindex="0"
      role="slider"
      aria-label=${S.events.timeline}
      aria-valuemin="0"
      aria-valuemax=${Math.max(0, all.length - 1)}
      aria-valuenow=${Math.max(0, at)}
      aria-valuetext=${this.inWords()}
      @keydown=${this.key}
      @pointerdown=${this.down}
      @pointermove=${this.move}
      @pointerleave=${() => (this.pointer = null)}
      @dblclick=${this.play}
    ></canvas>`;
  }

  override updated() {
    const canvas = this.canvas;
    const context = canvas.getContext('2d');
    if (!context || this.width === 0) return;
    const density = devicePixelRatio || 1;
    const high = height(this.rows.length);
    canvas.width = this.width * density;
    canvas.height = high * density;
    canvas.style.setProperty('height', `${high}px`);
    context.setTransform(density, 0, 0, density, 0, 0);
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    paint(
      context,
      { scale: this.scale, rows: this.rows, chosen: this.chosen, now: Date.now(), pointer: this.pointer },
      {
        ink: colour('--ink'),
        soft: colour('--ink-2'),
        line: colour('--line'),
        track: colour('--sunken'),
        accent: colour('--accent'),
        bad: colour('--bad'),
        warn: colour('--warn'),
        surface: colour('--surface'),
        font: colour('--font'),
      },
    );
  }

  private get scale() {
    return { from: this.from, to: this.to, width: this.width };
  }

  private inWords(): string {
    const clip = this.chosen;
    if (!clip) return S.events.pick;
    const camera = this.rows.find((row) => row.cameraId === clip.camera_id)?.name ?? '';
    const length = clip.finished ? span(clip.duration_ms) : S.events.recording;
    return S.events.clipAt(camera, moment(clip.start_ms, true), length);
  }

  private redraw = () => this.requestUpdate();

  private key = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'Enter') {
      e.preventDefault();
      this.play();
      return;
    }
    const way = KEYS[e.key];
    if (!way) return;
    e.preventDefault();
    this.choose(neighbour(this.rows, this.chosen, way));
  };

  private down = (e: PointerEvent) => {
    this.canvas.setPointerCapture(e.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.point(e, true);
  };

  private move = (e: PointerEvent) => this.point(e, e.buttons > 0);

  /** Pointing takes what is near; dragging takes the nearest, however far. */
  private point(e: PointerEvent, pressed: boolean): void {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.min(this.width, Math.max(0, e.clientX - box.left));
    this.pointer = x;
    const row = Math.floor((e.clientY - box.top - AXIS_PX) / ROW_PX);
    const inRow = row >= 0 && row < this.rows.length;
    const clip = nearest(this.rows, timeAt(this.scale, x), inRow ? row : undefined);
    if (!clip) return;
    const from = xOf(this.scale, clip.start_ms);
    const to = xOf(this.scale, clip.start_ms + clip.duration_ms);
    const away = x < from ? from - x : Math.max(0, x - to);
    if (pressed || away <= REACH_PX) this.choose(clip);
  }

  private choose(clip: Clip | null): void {
    if (!clip || clip.id === this.chosen?.id) return;
    this.chosen = clip;
    this.dispatchEvent(new CustomEvent('choose', { detail: clip }));
  }

  private play = () => {
    if (this.chosen) this.dispatchEvent(new CustomEvent('play', { detail: this.chosen }));
  };

  static override styles = [
    look,
    css`
      canvas {
        width: 100%;
        display: block;
        cursor: crosshair;
        touch-action: pan-y;
        -webkit-user-select: none;
        user-select: none;
      }
      canvas:focus-visible {
        outline-offset: 6px;
        border-radius: 6px;
      }
    `,
  ];
}
