// What is known of the pictures of a live view: which segments were verified, and whether one was broken since. After a broken one nothing is
// shown until a later one is verified: later in its stream, or of a stream that began after it. Pure.

import type { Trust } from '../api/types.js';
import type { Segment } from './messages.js';

const KEPT = 64;

export interface Verdict {
  stream: string;
  index: number;
  first: number;
  last: number;
  trust: Trust;
  atMs: number;
}

export class Verdicts {
  #streams: string[] = [];
  #good: Verdict[] = [];
  /** Streams that may be over: another one may have given their frames' numbers again. */
  #past = new Set<string>();
  /** The newest verdict, whatever it was. */
  last: Verdict | null = null;
  /** Why nothing may be shown. */
  broken: Verdict | null = null;

  handle(segment: Segment, atMs: number): Verdict {
    const { stream, index, first_frame: first, last_frame: last, trust } = segment;
    const verdict: Verdict = { stream, index, first, last, trust, atMs };
    if (!this.#streams.includes(stream)) {
      this.#streams.push(stream);
      if (this.#streams.length > KEPT) this.#streams.shift();
    }
    this.last = verdict;
    // It goes on: within a stream each number is given once.
    this.#past.delete(stream);
    if (trust.state === 'broken') {
      // Of a segment before one that was verified since, no picture is on the screen any more.
      const overtaken = this.#good.some((good) => this.#later(good, verdict));
      if (!overtaken && !(this.broken && this.#later(this.broken, verdict))) this.broken = verdict;
    } else if (trust.state === 'verified') {
      this.#good.push(verdict);
      if (this.#good.length > KEPT) this.#good.shift();
      if (this.broken && this.#later(verdict, this.broken)) this.broken = null;
    }
    return verdict;
  }

  /** Pictures are missing, or come again: what follows may be of another stream of the hub, whose signatures are still to come. */
  interrupted(): void {
    this.#past = new Set(this.#streams);
  }

  /** The verdict that covers this frame. */
  of(frame: number): Verdict | null {
    const covers = (one: Verdict) => !this.#past.has(one.stream) && one.first <= frame && frame <= one.last;
    return this.#good.findLast(covers) ?? null;
  }

  #later(one: Verdict, than: Verdict): boolean {
    if (one.stream === than.stream) return one.index > than.index;
    return this.#streams.indexOf(one.stream) > this.#streams.indexOf(than.stream);
  }
}
