// The page's frame: which page is shown, the ways between them, banners and toasts, and the states in which there is nothing else to show (not
// paired, removed, nobody answers).

import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import type { Happening } from '../api/happenings.js';
import { forgetClips } from '../clips.js';
import { Follows, home } from '../home.js';
import { tell, toasts } from '../notify.js';
import { hashOf, parseRoute, type Route } from '../route.js';
import { S } from '../strings.js';
import { theme } from '../theme.js';
import { thumbnails } from '../timeline/thumbnails.js';
import { Alerts } from './alerts.js';
import { frame } from './app-style.js';
import { icon, mark, type IconName } from './icons.js';
import { look } from './look.js';
import '../pages/all.js';
import './toast-list.js';

const PAGES: { page: 'cameras' | 'events' | 'devices' | 'settings' | 'health'; sign: IconName }[] = [
  { page: 'cameras', sign: 'cameras' },
  { page: 'events', sign: 'events' },
  { page: 'devices', sign: 'devices' },
  { page: 'settings', sign: 'settings' },
  { page: 'health', sign: 'health' },
];
/** Pages that stand below another one in the list. */
const BELOW: Partial<Record<Route['page'], Route['page']>> = { camera: 'cameras', clip: 'events' };

@customElement('privet-app')
export class PrivetApp extends LitElement {
  @state() private route: Route = parseRoute(location.hash);
  /** Just paired: the number is compared before anything else. */
  @state() private comparing = '';
  @state() private pairAgain = false;
  private alerts = new Alerts();

  constructor() {
    super();
    new Follows(this, (happening) => this.happened(happening));
  }

  override connectedCallback() {
    super.connectedCallback();
    window.addEventListener('hashchange', this.moved);
    theme.addEventListener('change', this.again);
    this.alerts.addEventListener('change', this.again);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener('hashchange', this.moved);
    theme.removeEventListener('change', this.again);
    this.alerts.removeEventListener('change', this.again);
  }

  private again = () => this.requestUpdate();

  private moved = () => {
    this.route = parseRoute(location.hash);
    void this.updateComplete.then(() => {
      scrollTo(0, 0);
      const main = this.renderRoot.querySelector<HTMLElement>('main');
      main?.focus({ preventScroll: true });
    });
  };

  private happened(happening: Happening) {
    switch (happening.type) {
      case 'notification':
        tell(happening.notification);
        break;
      case 'devices_changed':
        toasts.say(happening.what, { kind: 'warn', href: '#/devices' });
        break;
      case 'clips_forgotten':
        happening.clip_ids.forEach((id) => thumbnails.forget(id));
        forgetClips(happening.clip_ids);
        break;
      case 'clip_notes':
        thumbnails.forget(happening.clip_id);
        break;
      default:
    }
  }

  override willUpdate() {
    if (home.state && (home.state.removed || !home.state.paired)) {
      thumbnails.forgetAll();
      forgetClips();
    }
    if (home.state || home.lost) this.dataset.ready = 'true';
    document.title = this.title_();
  }

  private title_(): string {
    if (home.lost) return `${S.lost[home.lost.why]} – ${S.name}`;
    if (!home.state) return S.name;
    if (home.state.removed && !this.pairAgain) return `${S.removed.title} – ${S.name}`;
    if (!home.usable || this.comparing) return `${S.titles.welcome} – ${S.name}`;
    const camera = this.route.page === 'camera' ? home.camera(this.route.id)?.name : undefined;
    return `${camera ?? S.titles[this.route.page]} – ${home.state.hub_name || S.name}`;
  }

  override render() {
    if (home.lost) return html`<page-lost></page-lost>${this.toasts()}`;
    const known = home.state;
    if (!known) {
      return html`<div class="first" role="status">${mark()}<span>${home.failed || S.loading}</span></div>`;
    }
    if (known.removed && !this.pairAgain) {
      return html`<page-removed @again=${() => (this.pairAgain = true)}></page-removed>`;
    }
    if (this.comparing || !known.paired || known.removed) {
      return html`<page-welcome
          .number=${this.comparing}
          @paired=${(e: CustomEvent<string>) => (this.comparing = e.detail)}
          @done=${this.compared}
        ></page-welcome>
        ${this.toasts()}`;
    }
    return this.inside();
  }

  private compared = () => {
    this.comparing = '';
    this.pairAgain = false;
    location.hash = '#/cameras';
    void home.load();
  };

  private inside(): TemplateResult {
    const here = BELOW[this.route.page] ?? this.route.page;
    return html`<a class="skip" href="#main" @click=${this.skip}>${S.skip}</a>
      <header>
        <a class="brand" href="#/cameras">${mark()}<span>${home.state?.hub_name || S.name}</span></a>
        <nav aria-label=${S.nav}>
          ${PAGES.map(
            ({ page, sign }) => html`<a href=${hashOf({ page })} aria-current=${page === here ? 'page' : nothing}>
              ${icon(sign)}<span>${S.titles[page]}</span>
              ${page === 'health' && this.alerts.unseen > 0 ? html`<b>${this.alerts.unseen}</b>` : nothing}
            </a>`,
          )}
        </nav>
        <div class="foot">
          ${this.linkState()}
          <button
            class="quiet square"
            aria-label=${theme.dark ? S.theme.toLight : S.theme.toDark}
            title=${theme.dark ? S.theme.toLight : S.theme.toDark}
            @click=${() => theme.choose(theme.dark ? 'light' : 'dark')}
          >
            ${icon(theme.dark ? 'sun' : 'moon')}
          </button>
        </div>
      </header>
      <main id="main" tabindex="-1">${this.banners()} ${this.page()}</main>
      ${this.toasts()}`;
  }

  private skip = (e: Event) => {
    e.preventDefault();
    this.renderRoot.querySelector<HTMLElement>('main')?.focus();
  };

  private linkState(): TemplateResult {
    const link = home.state?.link ?? 'offline';
    const why = home.state?.link_reason ?? '';
    return html`<a class="link ${link}" href="#/health" title=${why || S.link.label}>
      <i></i><span class="hidden-but-read">${S.link.label}: </span><span>${S.link[link]}</span>
    </a>`;
  }

  private banners(): TemplateResult | typeof nothing {
    const unseen = this.alerts.unseen;
    if (unseen === 0 || this.route.page === 'health') return nothing;
    return html`<div class="note bad banner" role="alert">
      ${icon('warning')}
      <div class="grow"><strong>${S.health.banner(unseen)}</strong><br />${this.alerts.newest?.what}</div>
      <a class="button" href="#/health">${S.health.look}</a>
    </div>`;
  }

  private page(): TemplateResult {
    const route = this.route;
    switch (route.page) {
      case 'camera':
        return html`<page-camera .cameraId=${route.id}></page-camera>`;
      case 'clip':
        return html`<page-clip .clipId=${route.id}></page-clip>`;
      case 'events':
        return html`<page-events></page-events>`;
      case 'devices':
        return html`<page-devices></page-devices>`;
      case 'settings':
        return html`<page-settings></page-settings>`;
      case 'health':
        return html`<page-health .alerts=${this.alerts}></page-health>`;
      default:
        return html`<page-cameras></page-cameras>`;
    }
  }

  private toasts(): TemplateResult {
    return html`<toast-list></toast-list>`;
  }

  static override styles = [look, frame];
}
