// Not paired: three ways to read the hub's code, what the code says before anything is done with it, joining, and comparing the safety number.

import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { api } from '../api/client.js';
import type { Offer } from '../api/types.js';
import { words } from '../home.js';
import { icon, mark, type IconName } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';
import { left } from '../times.js';
import { welcomeStyle } from './welcome-style.js';
import '../parts/code-camera.js';
import '../parts/safety-number.js';

const P = S.pair;
const SIGNS: IconName[] = ['key', 'relay', 'verified'];

@customElement('page-welcome')
export class PageWelcome extends LitElement {
  /** The number to compare: this device is in already. */
  @property() number = '';
  @state() private offer: Offer | null = null;
  @state() private failed = '';
  @state() private busy = '';
  @state() private over = false;
  @state() private differs = false;
  @state() private hasCamera = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.offer && this.requestUpdate(), 1000);
    void navigator.mediaDevices?.enumerateDevices().then((devices) => {
      this.hasCamera = devices.some((device) => device.kind === 'videoinput');
    });
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  override render() {
    const body = this.number ? this.compare() : this.offer ? this.found(this.offer) : this.ways();
    return html`<main>
      <div class="brand row">${mark()}<span>${S.name}</span></div>
      ${body}
      ${this.number
        ? nothing
        : html`<ul class="promises">
            ${P.promises.map((promise, i) => html`<li>${icon(SIGNS[i] ?? 'check')}${promise}</li>`)}
          </ul>`}
    </main>`;
  }

  private ways(): TemplateResult {
    return html`<h1>${P.title}</h1>
      <p class="lead">${P.lead}</p>
      ${this.failed ? html`<div class="note bad" role="alert">${icon('warning')}<div>${this.failed}</div></div>` : nothing}
      <div class="ways">
        <section class="card">
          <h2>${P.paste}</h2>
          <p class="small soft">${P.pasteWhy}</p>
          <form @submit=${this.readText}>
            <textarea name="code" rows="3" required spellcheck="false" autocomplete="off" placeholder="PRIVET1:…" aria-label=${P.pasteLabel} @paste=${this.pasted}></textarea>
            <button class="primary" ?disabled=${this.busy !== ''}>${this.busy === 'text' ? html`<span class="spin"></span>${P.reading}` : P.read}</button>
          </form>
        </section>
        <section class="card">
          <h2>${P.picture}</h2>
          <p class="small soft">${P.pictureWhy}</p>
          <label
            class="drop ${this.over ? 'over' : ''}"
            @dragover=${this.dragged}
            @dragleave=${() => (this.over = false)}
            @drop=${this.dropped}
          >
            ${this.busy === 'picture' ? html`<span class="spin"></span>${P.reading}` : html`${icon('snapshot')}<span>${P.drop} ${P.or} <u>${P.choose}</u></span>`}
            <input type="file" accept="image/png,image/jpeg" @change=${this.chosen} />
          </label>
        </section>
        ${this.hasCamera
          ? html`<section class="card">
              <h2>${P.camera}</h2>
              <p class="small soft">${P.cameraWhy}</p>
              <code-camera @found=${(e: CustomEvent<Offer>) => this.take(e.detail)}></code-camera>
            </section>`
          : nothing}
      </div>`;
  }

  private found(offer: Offer): TemplateResult {
    const rest = offer.expires_ms - Date.now();
    return html`<h1>${P.found}</h1>
      <div class="card stack">
        <dl class="facts">
          <dt>${P.relay}</dt>
          <dd class="mono">${offer.relay}</dd>
          <dt>${P.hub}</dt>
          <dd class="mono">${offer.hub_fingerprint}</dd>
        </dl>
        ${rest > 0
          ? html`<p class="note" role="timer">${icon('events')}<span>${P.left(left(rest))}</span></p>`
          : html`<div class="note bad" role="alert">${icon('warning')}<div>${P.expired}</div></div>`}
        ${this.failed ? html`<div class="note bad" role="alert">${icon('warning')}<div>${this.failed}</div></div>` : nothing}
        <div class="row">
          <button class="primary" ?disabled=${rest <= 0 || this.busy !== ''} @click=${() => this.join(offer)}>
            ${this.busy === 'join' ? html`<span class="spin"></span>${P.joining}` : P.join}
          </button>
          <button class="quiet" ?disabled=${this.busy !== ''} @click=${this.forget}>${P.other}</button>
        </div>
      </div>`;
  }

  private compare(): TemplateResult {
    return html`<h1>${P.done}</h1>
      <div class="card stack">
        <h2>${P.compare}</h2>
        <p class="soft">${P.compareWhy}</p>
        <safety-number .number=${this.number}></safety-number>
        <p class="small soft">${S.devices.safetyWhy}</p>
        ${this.differs
          ? html`<div class="note bad" role="alert">${icon('warning')}<div><strong>${P.differTitle}</strong><br />${P.differWhy}</div></div>`
          : nothing}
        <div class="row">
          <button class="primary" @click=${() => this.dispatchEvent(new Event('done'))}>${icon('check')}${P.same}</button>
          <button class="danger" @click=${() => (this.differs = true)}>${P.differ}</button>
        </div>
      </div>`;
  }

  private take(offer: Offer) {
    this.offer = offer;
    this.failed = '';
  }

  private forget = () => {
    this.offer = null;
    this.failed = '';
  };

  private readText = (e: SubmitEvent) => {
    e.preventDefault();
    const code = String(new FormData(e.target as HTMLFormElement).get('code') ?? '').replace(/\s/g, '');
    void this.read('text', () => api.offer(code));
  };

  /** A whole code needs no button. */
  private pasted = (e: ClipboardEvent) => {
    const code = (e.clipboardData?.getData('text') ?? '').replace(/\s/g, '');
    if (code.startsWith('PRIVET1:')) void this.read('text', () => api.offer(code));
  };

  private dragged = (e: DragEvent) => {
    e.preventDefault();
    this.over = true;
  };

  private dropped = (e: DragEvent) => {
    e.preventDefault();
    this.over = false;
    this.readPicture(e.dataTransfer?.files[0]);
  };

  private chosen = (e: Event) => {
    const input = e.target as HTMLInputElement;
    this.readPicture(input.files?.[0]);
    input.value = '';
  };

  private readPicture(file: File | undefined) {
    if (file) void this.read('picture', () => api.offerPicture(file));
  }

  private async read(busy: string, ask: () => Promise<Offer>) {
    this.busy = busy;
    this.failed = '';
    try {
      this.take(await ask());
    } catch (e) {
      this.failed = words(e);
    }
    this.busy = '';
  }

  private async join(offer: Offer) {
    this.busy = 'join';
    this.failed = '';
    try {
      const { safety_number } = await api.pair(offer.code);
      this.dispatchEvent(new CustomEvent('paired', { detail: safety_number }));
    } catch (e) {
      this.failed = words(e);
    }
    this.busy = '';
  }

  static override styles = [look, welcomeStyle];
}
