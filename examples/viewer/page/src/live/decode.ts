// Pictures through WebCodecs: access units into a VideoDecoder, the newest decoded picture onto the canvas with the next refresh. Nothing waits
// unbounded: when the decoder is behind, everything up to the next key frame is left out and said to be.

import type { Head } from './head.js';
import { bytesOf, type Format } from './messages.js';
import { Gate, PAGE_LATE_MS, type Player, type Screen } from './player.js';

/** A view begins with all pictures of its segment so far, at once: many may wait, but not for long. */
const MOST = 300;
const BEHIND = 8;
const BEHIND_MS = 600;

export const canDecode = (): boolean => typeof VideoDecoder === 'function';

export class Decoder implements Player {
  readonly path = 'webcodecs';
  #decoder: VideoDecoder | null = null;
  #config: VideoDecoderConfig | null = null;
  #gate: Gate;
  /** What is in the decoder, by time stamp, oldest first, and since when. */
  #waiting = new Map<number, { head: Head; since: number }>();
  #ready: { frame: VideoFrame; head: Head } | null = null;
  #refresh = 0;
  #errors = 0;

  constructor(private screen: Screen) {
    this.#gate = new Gate((from, to) => screen.skipped(from, to));
  }

  format(format: Format): void {
    this.#config = {
      codec: format.codec,
      description: bytesOf(format.header),
      optimizeForLatency: true,
    };
    if (format.width > 0 && format.height > 0) {
      this.#config.codedWidth = format.width;
      this.#config.codedHeight = format.height;
    }
    this.#gate.close(null);
    this.#begin();
  }

  media(head: Head, data: Uint8Array): void {
    if (head.track !== 'video' || !this.#config) return;
    const decoder = this.#decoder;
    if (!decoder) return;
    const full = this.#behind();
    const late = Date.now() - head.sentMs > PAGE_LATE_MS;
    if (!this.#gate.passes(head, (full || late) && !head.key)) return;
    if (full && head.key) {
      // What still waits is older than this picture, which needs none of it.
      const oldest = this.#waiting.values().next().value?.head.frame ?? head.frame;
      if (oldest < head.frame) this.screen.skipped(oldest, head.frame);
      decoder.reset();
      decoder.configure(this.#config);
      this.#waiting.clear();
    }
    this.#waiting.set(head.ptsUs, { head, since: performance.now() });
    try {
      decoder.decode(
        new EncodedVideoChunk({ type: head.key ? 'key' : 'delta', timestamp: head.ptsUs, duration: head.durationUs, data }),
      );
    } catch (e) {
      this.#broke(e);
    }
  }

  gap(): void {
    this.#gate.close(null);
  }

  sound(): void {
    // Access units come without the sound's own parameters: with sound, the view goes over MSE.
  }

  stop(): void {
    cancelAnimationFrame(this.#refresh);
    this.#ready?.frame.close();
    this.#ready = null;
    this.#config = null;
    this.#close();
  }

  #begin(): void {
    this.#close();
    const decoder = new VideoDecoder({
      output: (frame) => this.#decoded(frame),
      error: (e) => {
        if (this.#decoder === decoder) this.#broke(e);
      },
    });
    this.#decoder = decoder;
    try {
      if (this.#config) decoder.configure(this.#config);
    } catch (e) {
      this.#broke(e);
    }
  }

  #behind(): boolean {
    const oldest = this.#waiting.values().next().value;
    if (!oldest || this.#waiting.size < BEHIND) return false;
    return this.#waiting.size >= MOST || performance.now() - oldest.since > BEHIND_MS;
  }

  #close(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#waiting.clear();
    if (decoder && decoder.state !== 'closed') decoder.close();
  }

  /** One bad picture is survived; a decoder that fails again before it decoded something cannot do this codec. */
  #broke(e: unknown): void {
    this.#errors += 1;
    this.#gate.close(null);
    const unsupported = e instanceof DOMException && e.name === 'NotSupportedError';
    if (unsupported || this.#errors > 2) {
      this.#close();
      this.screen.failed(e instanceof Error ? e.message : String(e));
    } else {
      this.#begin();
    }
  }

  #decoded(frame: VideoFrame): void {
    const head = this.#waiting.get(frame.timestamp)?.head;
    this.#waiting.delete(frame.timestamp);
    if (!head) {
      frame.close();
      return;
    }
    this.#errors = 0;
    this.#ready?.frame.close();
    this.#ready = { frame, head };
    this.#refresh ||= requestAnimationFrame(() => {
      this.#refresh = 0;
      const ready = this.#ready;
      this.#ready = null;
      if (!ready) return;
      this.screen.paint(ready.frame, ready.frame.displayWidth, ready.frame.displayHeight, ready.head);
      ready.frame.close();
    });
  }
}
