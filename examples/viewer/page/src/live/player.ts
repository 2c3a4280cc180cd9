// What the two ways to get pictures onto a canvas have in common: WebCodecs (`decode.ts`) and Media Source Extensions (`mse.ts`).

import type { Head } from './head.js';
import type { Format } from './messages.js';

/** Where a player's pictures go. */
export interface Screen {
  paint(source: CanvasImageSource, width: number, height: number, head: Head): void;
  /** This page was too slow for these frames: from the first to before the second. */
  skipped(from: number, to: number): void;
  /** This player can't go on. */
  failed(why: string): void;
}

export interface Player {
  readonly path: 'webcodecs' | 'mse';
  format(format: Format): void;
  media(head: Head, data: Uint8Array): void;
  /** Pictures are missing: decoding goes on at the next that stands alone. */
  gap(): void;
  /** Whether sound is heard. */
  sound(on: boolean): void;
  stop(): void;
}

/** Behind this, by one machine's clock on both sides, the page itself is what is slow. */
export const PAGE_LATE_MS = 1500;

/** Passes pictures on, or leaves them out up to one that stands alone, and tells what it left out. */
export class Gate {
  #waits = true;
  #from: number | null = null;

  constructor(private skipped: (from: number, to: number) => void) {}

  /** Whether this picture is passed on; `full` says that there is no room. */
  passes(head: Head, full: boolean): boolean {
    if (full && !this.#waits) this.close(head.frame);
    if (this.#waits && head.key && !full) {
      this.#waits = false;
      if (this.#from !== null && head.frame > this.#from) this.skipped(this.#from, head.frame);
      this.#from = null;
    }
    return !this.#waits;
  }

  /** Closed because of us, with the first frame that is left out; or because something did not come. */
  close(from: number | null): void {
    this.#waits = true;
    this.#from = from;
  }
}
