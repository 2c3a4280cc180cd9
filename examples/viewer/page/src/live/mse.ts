// Pictures and sound through Media Source Extensions: fragments into a <video> that is never shown itself; each picture it presents is drawn to
// the canvas, so that the rest of the page need not know which way they came. The queue before the buffer is bounded and begins anew at a key
// frame (a fixed staging buffer that is appended to blindly wedges); delay is held down by playing a little faster, or jumping.

import type { Head } from './head.js';
import { bytesOf, type Format } from './messages.js';
import { Gate, PAGE_LATE_MS, type Player, type Screen } from './player.js';

/** A view begins with all pictures of its segment so far, at once. */
const QUEUE = 300;
const QUEUE_BYTES = 6 * 1024 * 1024;
/** Pictures that are in the buffer and not presented yet. */
const HEADS = 512;
const HURRY_S = 0.3;
const JUMP_S = 1;
const BEHIND_KEPT_S = 6;

export function mimeOf(format: { codec: string; audio_codec: string | null }): string {
  return `video/mp4; codecs="${[format.codec, format.audio_codec].filter(Boolean).join(', ')}"`;
}

export const canBuffer = (): boolean => typeof MediaSource === 'function';

export class MsePlayer implements Player {
  readonly path = 'mse';
  #video = document.createElement('video');
  #source: MediaSource | null = null;
  #buffer: SourceBuffer | null = null;
  #queue: { head: Head | null; data: Uint8Array }[] = [];
  #queued = 0;
  #heads: Head[] = [];
  #gate: Gate;
  #format: Format | null = null;
  #lastPts = 0;
  #stopped = false;

  constructor(private screen: Screen) {
    this.#gate = new Gate((from, to) => screen.skipped(from, to));
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.addEventListener('error', () => {
      if (!this.#stopped) this.screen.failed(this.#video.error?.message || 'the browser cannot play this');
    });
    this.#watch();
  }

  format(format: Format): void {
    this.#format = format;
    const mime = mimeOf(format);
    if (!MediaSource.isTypeSupported(mime)) {
      this.screen.failed(mime);
      return;
    }
    // A new time line may begin: a source of its own is simpler than mending offsets.
    this.#clear();
    this.#gate.close(null);
    this.#put(null, bytesOf(format.header));
    const source = new MediaSource();
    this.#source = source;
    this.#buffer = null;
    const address = URL.createObjectURL(source);
    source.addEventListener('sourceopen', () => {
      URL.revokeObjectURL(address);
      if (this.#source !== source) return;
      const buffer = source.addSourceBuffer(mime);
      buffer.addEventListener('updateend', () => {
        if (this.#buffer !== buffer) return;
        this.#steer();
        this.#drain();
      });
      this.#buffer = buffer;
      this.#drain();
    });
    this.#video.src = address;
    void this.#video.play().catch(() => undefined);
  }

  media(head: Head, data: Uint8Array): void {
    if (!this.#format) return;
    if (head.track === 'video') {
      if (head.key && head.ptsUs < this.#lastPts - 1_000_000) this.format(this.#format);
      const full = this.#queue.length >= QUEUE || this.#queued + data.byteLength > QUEUE_BYTES;
      const late = Date.now() - head.sentMs > PAGE_LATE_MS && !head.key;
      if (full) this.#dropMedia();
      if (!this.#gate.passes(head, (full && !head.key) || late)) return;
      this.#lastPts = head.ptsUs;
      this.#heads.push(head);
      if (this.#heads.length > HEADS) this.#heads.shift();
    } else if (this.#queue.length >= QUEUE) {
      return;
    }
    this.#put(head, data);
    this.#drain();
  }

  gap(): void {
    this.#gate.close(null);
  }

  sound(on: boolean): void {
    this.#video.muted = !on;
    if (on) void this.#video.play().catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
    this.#source = null;
    this.#buffer = null;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #put(head: Head | null, data: Uint8Array): void {
    this.#queue.push({ head, data });
    this.#queued += data.byteLength;
  }

  /** Everything but what begins the stream. */
  #dropMedia(): void {
    this.#queue = this.#queue.filter((one) => one.head === null);
    this.#queued = this.#queue.reduce((sum, one) => sum + one.data.byteLength, 0);
  }

  #clear(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#heads = [];
    this.#lastPts = 0;
  }

  #drain(): void {
    const buffer = this.#buffer;
    const next = this.#queue[0];
    if (!buffer || !next || buffer.updating || this.#source?.readyState !== 'open') return;
    try {
      buffer.appendBuffer(next.data as Uint8Array<ArrayBuffer>);
      this.#queue.shift();
      this.#queued -= next.data.byteLength;
    } catch (e) {
      if (e instanceof DOMException && e.name === 'QuotaExceededError') {
        this.#dropMedia();
        this.#gate.close(next.head?.frame ?? null);
        if (buffer.buffered.length > 0) buffer.remove(0, Math.max(0.1, this.#video.currentTime - 1));
      } else {
        this.screen.failed(e instanceof Error ? e.message : String(e));
      }
    }
  }

  /** Stays close to the newest picture, over holes, and lets go of what was seen. */
  #steer(): void {
    const [buffer, video] = [this.#buffer, this.#video];
    const ranges = buffer?.buffered;
    if (!buffer || !ranges || ranges.length === 0) return;
    const from = ranges.start(ranges.length - 1);
    const to = ranges.end(ranges.length - 1);
    const behind = to - video.currentTime;
    if (video.currentTime < from || behind > JUMP_S) video.currentTime = Math.max(from, to - 0.1);
    video.playbackRate = behind > HURRY_S ? 1.1 : 1;
    if (video.paused) void video.play().catch(() => undefined);
    if (!buffer.updating && ranges.start(0) < video.currentTime - BEHIND_KEPT_S * 2) {
      buffer.remove(0, video.currentTime - BEHIND_KEPT_S);
    }
  }

  #watch(): void {
    this.#video.requestVideoFrameCallback((_, shown) => {
      if (this.#stopped) return;
      const at = shown.mediaTime * 1_000_000;
      // Time scales round: the picture is the one whose time is nearest.
      let best: Head | null = null;
      for (const head of this.#heads) {
        if (!best || Math.abs(head.ptsUs - at) < Math.abs(best.ptsUs - at)) best = head;
      }
      if (best) {
        this.#heads = this.#heads.filter((head) => head.ptsUs >= best.ptsUs);
        this.screen.paint(this.#video, shown.width, shown.height, best);
      }
      this.#watch();
    });
  }
}
