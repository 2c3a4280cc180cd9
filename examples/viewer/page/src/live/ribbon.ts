// The last minute of a live view as blocks: what is being checked, what was verified or broken, and what was not seen. A block begins where
// decoding can begin, which is where a segment does. Pure; `ribbon-strip` draws it.

import type { GapReason } from './messages.js';
import type { Verdict } from './verdicts.js';

export interface Block {
  kind: 'pending' | 'verified' | 'broken' | 'gap';
  fromMs: number;
  toMs: number;
  first: number;
  last: number;
  reason?: GapReason;
  missed?: number;
}

export const RIBBON_MS = 60_000;
const MOST = 400;

export class Ribbon {
  blocks: Block[] = [];

  picture(frame: number, key: boolean, atMs: number): void {
    const open = this.blocks.at(-1);
    if (open && !key && open.kind === 'pending') {
      open.toMs = atMs;
      open.last = frame;
      return;
    }
    this.#push({ kind: 'pending', fromMs: open && open.kind !== 'gap' ? Math.min(open.toMs, atMs) : atMs, toMs: atMs, first: frame, last: frame }, atMs);
  }

  gap(missed: number, reason: GapReason, atMs: number): void {
    const open = this.blocks.at(-1);
    if (open?.kind === 'gap' && open.reason === reason) {
      open.toMs = atMs;
      open.missed = (open.missed ?? 0) + missed;
      return;
    }
    this.#push({ kind: 'gap', fromMs: open?.toMs ?? atMs, toMs: atMs, first: 0, last: 0, reason, missed }, atMs);
  }

  verdict(verdict: Verdict): void {
    for (const block of this.blocks) {
      if (block.kind !== 'pending') continue;
      // A broken segment does not say which frames it had: whatever waits for a verdict is not to be trusted.
      if (verdict.trust.state === 'broken') block.kind = 'broken';
      else if (verdict.trust.state === 'verified' && verdict.first <= block.first && block.last <= verdict.last) {
        block.kind = 'verified';
      }
    }
  }

  #push(block: Block, atMs: number): void {
    this.blocks.push(block);
    const old = this.blocks.findIndex((one) => one.toMs > atMs - RIBBON_MS * 2);
    if (old > 0) this.blocks.splice(0, old);
    if (this.blocks.length > MOST) this.blocks.splice(0, this.blocks.length - MOST);
  }
}
