// A camera's live picture with everything that must be said over it: that it begins, is late, is broken, was interrupted. It streams only while
// it is on the screen and the page is looked at; what it showed last stays, with its age.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';

import type { Camera, Trust } from '../api/types.js';
import { icon, type IconName } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { lay } from '../parts/lay.js';
import type { LiveTrust } from '../parts/trust-badge.js';
import { S } from '../strings.js';
import { ago, delay } from '../times.js';
import { LiveView } from './view.js';

const STRIP_MS = 7000;
/** No new picture for so long: what is seen is the past. */
const FROZEN_MS = 3000;
/** A verdict counts on the badge when no newer picture came for so long; else it would flicker. */
const SETTLED_MS = 600;

@customElement('live-picture')
export class LivePicture extends LitElement {
  @property({ attribute: false }) camera!: Camera;
  @property({ type: Boolean, reflect: true }) large = false;
  @query('canvas') canvas!: HTMLCanvasElement;
  view: LiveView | null = null;
  private visible = false;
  private lastPicture = 0;
  private tick: ReturnType<typeof setInterval> | undefined;
  private watcher = new IntersectionObserver((seen) => {
    this.visible = seen.at(-1)?.isIntersecting ?? false;
    this.follow();
  });

  override connectedCallback() {
    super.connectedCallback();
    this.watcher.observe(this);
    document.addEventListener('visibilitychange', this.follow);
    this.tick = setInterval(() => this.changed(), 1000);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.watcher.disconnect();
    document.removeEventListener('visibilitychange', this.follow);
    clearInterval(this.tick);
    this.visible = false;
    this.view?.wipe();
    this.view = null;
  }

  override updated() {
    // An update may still be due when the element is gone already.
    if (!this.isConnected) return;
    if (!this.view && this.camera) {
      const view = new LiveView(this.canvas, this.camera.id);
      view.addEventListener('change', this.changed);
      view.addEventListener('verdict', this.changed);
      view.addEventListener('picture', () => {
        this.lastPicture = performance.now();
      });
      this.view = view;
    }
    this.follow();
  }

  /** What the badge of this picture says. */
  get trust(): Trust {
    const view = this.view;
    if (view?.verdicts.broken) return view.verdicts.broken.trust;
    const settled = performance.now() - this.lastPicture > SETTLED_MS;
    return (settled && view?.shown && view.verdicts.of(view.shown.frame)?.trust) || { state: 'pending' };
  }

  get liveTrust(): LiveTrust {
    return { frame: this.view?.shown?.frame ?? null, last: this.view?.verdicts.last ?? null, signer: this.camera.signer };
  }

  /** How old the picture is, in words. */
  get age(): string {
    const view = this.view;
    if (!view?.shown) return '';
    const old = Date.now() - view.shown.captureMs;
    if (view.phase === 'live' && old < FROZEN_MS) return S.live.behind(delay(Math.max(0, view.lagMs)));
    return S.live.frozen(ago(view.shown.captureMs, Date.now()));
  }

  private follow = () => {
    if (!this.view) return;
    if (this.visible && document.visibilityState === 'visible' && this.camera.online) this.view.start();
    else if (this.view.phase !== 'off') this.view.stop(this.camera.online ? 'not_watched' : 'camera_restart');
  };

  private changed = () => {
    this.requestUpdate();
    this.dispatchEvent(new Event('change'));
  };

  override render() {
    const { width, height } = this.camera;
    const ratio = width > 0 && height > 0 ? `${width} / ${height}` : '16 / 9';
    return html`<div class="stage" ${lay({ '--ratio': this.large ? ratio : '16 / 9' })}>
      <canvas role="img" width="640" height="360" aria-label=${S.live.picture(this.camera.name)}></canvas>
      ${this.notice()} ${this.strip()}
    </div>`;
  }

  private notice(): TemplateResult | typeof nothing {
    const view = this.view;
    const broken = view?.verdicts.broken;
    if (broken) {
      return over('broken', S.live.broken, broken.trust.state === 'broken' ? broken.trust.why : '', 'bad');
    }
    if (!this.camera.online) return over('unplugged', S.live.offline, S.live.offlineWhy, 'off');
    if (!view || (view.phase === 'off' && !view.shown)) return nothing;
    switch (view.phase) {
      case 'connecting':
        return view.shown ? nothing : over(null, view.format ? S.live.waiting : S.live.connecting, '', '');
      case 'ended':
        return over('warning', S.live.ended, view.why || S.live.again, view.shown ? 'veil' : '');
      case 'unplayable':
        return over('warning', S.live.unplayable, S.live.unplayableWhy(view.format?.codec ?? this.camera.codec), '');
      default:
        return nothing;
    }
  }

  private strip(): TemplateResult | typeof nothing {
    const last = this.view?.missed.at(-1);
    if (!last || Date.now() - last.atMs > STRIP_MS) return nothing;
    return html`<p class="strip ${last.reason === 'failed_verification' ? 'bad' : ''}" role="status">
      ${S.gap.missed(last.frames)}: ${S.gap.reasons[last.reason]}
    </p>`;
  }

  static override styles = [
    look,
    css`
      .stage {
        position: relative;
        background: var(--stage);
        border-radius: inherit;
        overflow: hidden;
        aspect-ratio: var(--ratio, 16 / 9);
        max-height: inherit;
        width: 100%;
      }
      canvas {
        width: 100%;
        height: 100%;
        object-fit: cover;
        display: block;
      }
      :host([large]) canvas {
        object-fit: contain;
      }
      .over {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 6px;
        padding: 16px;
        text-align: center;
        color: #e6ece6;
        background: var(--stage);
        font-size: 0.9rem;
      }
      .over.veil {
        background: rgb(6 8 6 / 72%);
      }
      .over.bad {
        background: #2c0f0c;
        color: #ffd9d3;
      }
      .over .icon {
        width: 2rem;
        height: 2rem;
        opacity: 0.85;
      }
      .over strong {
        font-weight: 600;
        font-size: 1rem;
      }
      .over p {
        max-width: 46ch;
        opacity: 0.85;
        overflow-wrap: anywhere;
      }
      .strip {
        position: absolute;
        inset: auto 0 0;
        padding: 7px 14px;
        font-size: 0.87rem;
        font-weight: 550;
        background: repeating-linear-gradient(-45deg, #3a2a0a 0 10px, #453310 10px 20px);
        color: #ffe2ad;
      }
      .strip.bad {
        background: repeating-linear-gradient(-45deg, #43120d 0 10px, #511811 10px 20px);
        color: #ffd9d3;
      }
    `,
  ];
}

function over(sign: IconName | null, title: string, why: string, kind: string): TemplateResult {
  return html`<div class="over ${kind}" role="status">
    ${sign ? icon(sign) : html`<span class="spin"></span>`}
    <strong>${title}</strong>
    ${why ? html`<p>${why}</p>` : nothing}
  </div>`;
}
