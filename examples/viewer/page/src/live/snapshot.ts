// A picture to keep: what the canvas shows now, as a PNG. Its name says whether its segment was verified; the verdict comes with the segment's
// end, so this waits for it a little, and keeps nothing of a broken one.

import type { Verdict } from './verdicts.js';
import type { LiveView } from './view.js';

const PATIENCE_MS = 8000;

export type Snapshot = { kind: 'saved'; verified: boolean; name: string } | { kind: 'broken'; why: string } | { kind: 'nothing' };

export async function takeSnapshot(view: LiveView, canvas: HTMLCanvasElement, camera: string): Promise<Snapshot> {
  const shown = view.shown;
  if (!shown || view.verdicts.broken) return { kind: 'nothing' };
  const picture = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  if (!picture) return { kind: 'nothing' };
  const broken = await verdictOn(view, shown.frame);
  if (broken) return { kind: 'broken', why: broken.trust.state === 'broken' ? broken.trust.why : '' };
  const verified = view.verdicts.of(shown.frame) !== null;
  const name = nameOf(camera, shown.captureMs, verified);
  save(picture, name);
  return { kind: 'saved', verified, name };
}

export function nameOf(camera: string, atMs: number, verified: boolean): string {
  const at = new Date(atMs);
  const two = (n: number) => String(n).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}.${two(at.getMinutes())}.${two(at.getSeconds())}`;
  const clean = camera.replace(/[^\p{L}\p{N} _-]/gu, '_');
  return `${clean} ${date} ${time}${verified ? '' : ' (not verified yet)'}.png`;
}

/** Waits for the verdict on a frame; gives a broken one that came meanwhile, because that does not say which frames it means. */
function verdictOn(view: LiveView, frame: number): Promise<Verdict | null> {
  return new Promise((done) => {
    const timer = setTimeout(() => over(null), PATIENCE_MS);
    const over = (broken: Verdict | null) => {
      clearTimeout(timer);
      view.removeEventListener('verdict', look);
      done(broken);
    };
    const look = (e: Event) => {
      const verdict = (e as CustomEvent<Verdict>).detail;
      if (verdict.trust.state === 'broken') over(verdict);
      else if (view.verdicts.of(frame)) over(null);
    };
    view.addEventListener('verdict', look);
    if (view.verdicts.of(frame)) over(null);
  });
}

function save(picture: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(picture);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
