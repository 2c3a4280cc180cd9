// Draws the last minute of a live view as a ribbon under the picture: verified, being checked, broken, and holes for what was not seen.

import { LitElement, css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';

import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { RIBBON_MS, type Block, type Ribbon } from './ribbon.js';

const EVERY_MS = 250;
const KINDS = ['verified', 'pending', 'broken', 'gap'] as const;

@customElement('ribbon-strip')
export class RibbonStrip extends LitElement {
  @property({ attribute: false }) ribbon: Ribbon | null = null;
  @query('canvas') private canvas!: HTMLCanvasElement;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.paint(), EVERY_MS);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  override render() {
    return html`<canvas role="img" aria-label=${S.live.ribbon}></canvas>
      <div class="row spread">
        <span>${S.live.ribbonAgo}</span>
        <ul class="row">
          ${KINDS.map((kind) => html`<li class=${kind}>${S.live.legend[kind]}</li>`)}
        </ul>
        <span>${S.live.ribbonNow}</span>
      </div>`;
  }

  private paint(): void {
    const canvas = this.canvas;
    const context = canvas?.getContext('2d');
    if (!context || document.visibilityState !== 'visible') return;
    const density = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * density)) canvas.width = Math.round(width * density);
    if (canvas.height !== Math.round(height * density)) canvas.height = Math.round(height * density);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    context.fillStyle = colour('--sunken');
    context.fillRect(0, 0, width, height);
    const now = Date.now();
    const x = (ms: number) => width * (1 - (now - ms) / RIBBON_MS);
    const fill: Record<Block['kind'], string> = {
      verified: colour('--accent'),
      pending: colour('--line-strong'),
      broken: colour('--bad'),
      gap: colour('--warn'),
    };
    for (const block of this.ribbon?.blocks ?? []) {
      const from = Math.max(0, x(block.fromMs));
      const to = x(block.toMs);
      if (to < 0) continue;
      context.fillStyle = fill[block.kind];
      if (block.kind === 'gap') {
        // A hole: only its edges and a line through it, and wide enough to be seen.
        const wide = Math.max(to - from, 3);
        context.clearRect(from, 0, wide, height);
        context.fillRect(from, height / 2 - 1, wide, 2);
        context.fillRect(from, 0, 1.5, height);
        context.fillRect(from + wide - 1.5, 0, 1.5, height);
      } else {
        context.globalAlpha = block.kind === 'pending' ? 0.55 : 1;
        context.fillRect(from, 0, Math.max(to - from - 1, 1), height);
        context.globalAlpha = 1;
      }
    }
  }

  static override styles = [
    look,
    css`
      canvas {
        width: 100%;
        height: 14px;
        border-radius: 7px;
        display: block;
      }
      div {
        margin-top: 6px;
        font-size: 0.8rem;
        color: var(--ink-3);
      }
      @media (max-width: 640px) {
        ul {
          order: 3;
          width: 100%;
        }
      }
      li {
        display: flex;
        align-items: center;
        gap: 6px;
      }
      li::before {
        content: '';
        width: 10px;
        height: 10px;
        border-radius: 3px;
      }
      .verified::before {
        background: var(--accent);
      }
      .pending::before {
        background: var(--line-strong);
        opacity: 0.55;
      }
      .broken::before {
        background: var(--bad);
      }
      .gap::before {
        border: 1.5px solid var(--warn);
        border-block-width: 0;
        background: linear-gradient(var(--warn), var(--warn)) center / 100% 1.5px no-repeat;
      }
    `,
  ];
}
