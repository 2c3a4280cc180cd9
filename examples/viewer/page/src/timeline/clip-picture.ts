// A clip's thumbnail, with the heat map over it where that is wanted. Of a broken clip there is nothing to see.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';

import type { Clip } from '../api/types.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import '../parts/trust-badge.js';
import { S } from '../strings.js';
import { paintHeat } from './heat.js';
import { thumbnails, type Picture } from './thumbnails.js';

@customElement('clip-picture')
export class ClipPicture extends LitElement {
  @property({ attribute: false }) clip: Clip | null = null;
  @property({ type: Boolean }) heat = false;
  /** Says what is known of this small picture itself, which is not what is known of the clip. */
  @property({ type: Boolean }) badge = false;
  @state() private picture: Picture | null = null;
  @query('canvas') private canvas!: HTMLCanvasElement | null;
  private asked = '';
  private near = false;
  private watcher = new IntersectionObserver(
    (seen) => {
      this.near ||= seen.some((one) => one.isIntersecting);
      if (this.near) void this.fetch();
    },
    { rootMargin: '200px' },
  );

  override connectedCallback() {
    super.connectedCallback();
    this.watcher.observe(this);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.watcher.disconnect();
  }

  override render() {
    const clip = this.clip;
    const broken = clip?.trust.state === 'broken';
    return html`<div class="frame ${broken ? 'broken' : ''}">
      ${this.picture && !broken
        ? html`<img src=${this.picture.url} alt="" />`
        : html`<span title=${broken ? S.clip.broken : S.events.noThumbnail}>${icon(broken ? 'broken' : 'cameras')}</span>`}
      ${this.heat && clip?.notes && !broken ? html`<canvas></canvas>` : nothing}
      ${this.badge && this.picture && !broken
        ? html`<trust-badge small told .trust=${this.picture.trust} .atMs=${clip?.notes?.peak_ms ?? null}></trust-badge>`
        : nothing}
    </div>`;
  }

  override updated() {
    if (this.near) void this.fetch();
    if (this.canvas && this.clip?.notes) paintHeat(this.canvas, this.clip.notes.heat);
  }

  private async fetch(): Promise<void> {
    const clip = this.clip;
    const key = clip?.notes?.thumbnail && clip.trust.state !== 'broken' ? clip.id : '';
    if (key === this.asked) return;
    this.asked = key;
    this.picture = null;
    if (!key) return;
    const picture = await thumbnails.get(key);
    if (this.asked === key) this.picture = picture;
  }

  static override styles = [
    look,
    css`
      .frame {
        position: relative;
        aspect-ratio: 16 / 9;
        border-radius: inherit;
        overflow: hidden;
        background: var(--empty);
        display: grid;
        place-items: center;
        color: var(--ink-3);
      }
      .frame.broken {
        background: var(--bad-soft);
        color: var(--bad);
      }
      trust-badge {
        position: absolute;
        top: 8px;
        right: 8px;
        z-index: 1;
      }
      img,
      canvas {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        object-fit: cover;
      }
    `,
  ];
}
