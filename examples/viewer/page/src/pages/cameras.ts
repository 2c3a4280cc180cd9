// The wall: every camera with its live picture.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';

import { Refused, api } from '../api/client.js';
import type { Settings } from '../api/types.js';
import { Follows, home, words } from '../home.js';
import { toasts } from '../notify.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import '../parts/camera-tile.js';

@customElement('page-cameras')
export class PageCameras extends LitElement {
  @state() private profile: Settings['profile'] = null;
  @state() private waits = false;

  constructor() {
    super();
    new Follows(this, (happening) => {
      if (happening.type === 'wishes_changed') void this.load();
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  private async load() {
    try {
      const { kept, pending } = await api.settings();
      this.profile = pending?.profile ?? kept.profile;
      this.waits = pending !== null && pending.profile !== kept.profile;
    } catch {
      // The wall does not need it; the settings' page says what is wrong.
    }
  }

  override render() {
    const cameras = home.cameras;
    const online = cameras.filter((camera) => camera.online).length;
    return html`<div class="head">
        <div>
          <h1>${S.titles.cameras}</h1>
          <p>${S.live.lead(online, cameras.length)}</p>
        </div>
        ${this.profile
          ? html`<div class="row">
              ${this.waits ? html`<span class="spin" title=${S.settings.pending}></span>` : nothing}
              <div class="segmented" role="group" aria-label=${S.settings.profile}>
                ${(['home', 'away'] as const).map(
                  (profile) => html`<button aria-pressed=${String(this.profile === profile)} @click=${() => this.choose(profile)}>
                    ${icon(profile)}${S.settings[profile]}
                  </button>`,
                )}
              </div>
            </div>`
          : nothing}
      </div>
      ${cameras.length === 0 && home.camerasLoaded
        ? html`<div class="card empty">${icon('cameras')}<h2>${S.live.none}</h2><p>${S.live.noneWhy}</p></div>`
        : html`<ul class="wall ${cameras.length === 1 ? 'one' : ''}">
            ${repeat(
              cameras,
              (camera) => camera.id,
              (camera) => html`<li><camera-tile .camera=${camera}></camera-tile></li>`,
            )}
          </ul>`}`;
  }

  private async choose(profile: 'home' | 'away') {
    const before = this.profile;
    if (profile === before) return;
    this.profile = profile;
    this.waits = true;
    try {
      await api.profile(profile);
      this.waits = false;
    } catch (e) {
      const pending = e instanceof Refused && e.kind === 'offline';
      toasts.say(words(e), { kind: pending ? 'warn' : 'bad' });
      if (!pending) this.profile = before;
      this.waits = pending;
    }
  }

  static override styles = [
    look,
    css`
      .wall {
        display: grid;
        gap: clamp(14px, 1.6vw, 24px);
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr));
      }
      .wall.one {
        max-width: 1000px;
        grid-template-columns: 1fr;
      }
    `,
  ];
}
