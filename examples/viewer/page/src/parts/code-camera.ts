// Photographs the hub's code with this computer's camera: a picture every now and then goes to the server, which reads QR codes, until it finds
// one. The camera is off again the moment it does, or the element goes.

import { LitElement, css, html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';

import { Unreachable, api } from '../api/client.js';
import { words } from '../home.js';
import { S } from '../strings.js';
import { icon } from './icons.js';
import { look } from './look.js';

const EVERY_MS = 700;
const WIDTH = 960;
const P = S.pair;

@customElement('code-camera')
export class CodeCamera extends LitElement {
  @state() private stream: MediaStream | null = null;
  @state() private failed = '';
  @query('video') private video!: HTMLVideoElement | null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stop();
  }

  override render() {
    if (!this.stream) {
      return html`${this.failed ? html`<p class="note bad" role="alert">${this.failed}</p>` : nothing}
        <button @click=${this.start}>${icon('snapshot')}${P.cameraStart}</button>`;
    }
    return html`<video autoplay playsinline muted .srcObject=${this.stream} aria-label=${P.camera}></video>
      <div class="row spread">
        <span class="small soft" role="status">${P.cameraLooks}</span>
        <button class="quiet" @click=${this.stop}>${P.cameraStop}</button>
      </div>`;
  }

  private start = async () => {
    this.failed = '';
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH }, facingMode: 'environment' } });
      this.timer = setTimeout(() => void this.look(), EVERY_MS);
    } catch (e) {
      this.failed = words(e);
    }
  };

  private stop = () => {
    clearTimeout(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  };

  private async look() {
    const picture = await this.photograph();
    const stream = this.stream;
    if (!stream) return;
    if (picture) {
      try {
        const offer = await api.offerPicture(picture);
        if (this.stream !== stream) return;
        this.stop();
        this.dispatchEvent(new CustomEvent('found', { detail: offer }));
        return;
      } catch (e) {
        // A picture without a code is the usual case; only that nobody answers is worth a word.
        if (e instanceof Unreachable) this.failed = words(e);
      }
    }
    if (this.stream === stream) this.timer = setTimeout(() => void this.look(), EVERY_MS);
  }

  private photograph(): Promise<Blob | null> {
    const video = this.video;
    if (!video || video.videoWidth === 0) return Promise.resolve(null);
    const canvas = document.createElement('canvas');
    canvas.width = Math.min(WIDTH, video.videoWidth);
    canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
    canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, 'image/png'));
  }

  static override styles = [
    look,
    css`
      :host {
        display: grid;
        gap: 10px;
        align-content: start;
        margin-top: 8px;
      }
      video {
        width: 100%;
        aspect-ratio: 4 / 3;
        object-fit: cover;
        border-radius: 14px;
        background: var(--stage);
      }
    `,
  ];
}
