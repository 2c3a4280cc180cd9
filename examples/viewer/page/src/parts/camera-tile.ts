// One camera on the wall: its picture, and below it name, state, age of the picture and trust. All of it leads to the camera's own page.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';

import type { Camera } from '../api/types.js';
import { hashOf } from '../route.js';
import { S } from '../strings.js';
import { look } from './look.js';
import type { LivePicture } from '../live/picture.js';
import '../live/picture.js';
import './trust-badge.js';

@customElement('camera-tile')
export class CameraTile extends LitElement {
  @property({ attribute: false }) camera!: Camera;
  @query('live-picture') private picture!: LivePicture | null;

  override render() {
    const camera = this.camera;
    const picture = this.picture;
    const broken = picture?.trust.state === 'broken';
    return html`<article>
      <a class="open" href=${hashOf({ page: 'camera', id: camera.id })} aria-label=${S.live.open(camera.name)}></a>
      <live-picture .camera=${camera} @change=${() => this.requestUpdate()}></live-picture>
      <div class="below">
        <div class="grow">
          <h2>${camera.name}</h2>
          <p class=${camera.online ? 'on' : 'off'}>
            <i></i>${camera.online ? S.live.online : S.live.offlineShort}
            ${camera.online && picture?.age ? html`<span>· ${picture.age}</span>` : nothing}
          </p>
        </div>
        ${camera.online && (picture?.view?.shown || broken)
          ? html`<trust-badge .trust=${picture.trust} .live=${picture.liveTrust}></trust-badge>`
          : nothing}
      </div>
    </article>`;
  }

  static override styles = [
    look,
    css`
      article {
        position: relative;
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--round);
        box-shadow: var(--shadow);
        transition:
          border-color 0.15s,
          box-shadow 0.15s;
      }
      article:hover {
        border-color: var(--line-strong);
      }
      .open {
        position: absolute;
        inset: 0;
        z-index: 1;
        border-radius: var(--round);
      }
      .open:focus-visible {
        border-radius: var(--round);
      }
      live-picture {
        border-radius: calc(var(--round) - 1px) calc(var(--round) - 1px) 0 0;
        overflow: hidden;
      }
      .below {
        display: flex;
        align-items: center;
        gap: 10px;
        padding: 12px 14px 13px 16px;
      }
      h2 {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      p {
        display: flex;
        align-items: center;
        gap: 7px;
        font-size: 0.87rem;
        color: var(--ink-2);
        white-space: nowrap;
        font-variant-numeric: tabular-nums;
      }
      i {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--accent);
      }
      .off i {
        background: transparent;
        border: 2px solid var(--ink-3);
      }
      trust-badge {
        position: relative;
        z-index: 2;
      }
    `,
  ];
}
