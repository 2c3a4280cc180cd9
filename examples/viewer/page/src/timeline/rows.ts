// What stands on the timeline and how one moves on it: a row for each camera, clips in their order, spans without a camera, and the neighbour in
// each direction. Pure.

import type { Camera, Clip, HomeEvent } from '../api/types.js';

export interface Row {
  cameraId: string;
  name: string;
  /** Oldest first. */
  clips: Clip[];
  events: HomeEvent[];
  /** When the hub had no pictures of the camera. */
  offline: { from: number; to: number }[];
}

export type Way = 'older' | 'newer' | 'up' | 'down' | 'first' | 'last';

export function layOut(cameras: Camera[], clips: Clip[], events: HomeEvent[], from: number, to: number): Row[] {
  const ids = cameras.map((camera) => camera.id);
  for (const clip of clips) if (!ids.includes(clip.camera_id)) ids.push(clip.camera_id);
  return ids.map((id) => {
    const camera = cameras.find((one) => one.id === id);
    const its = events.filter((event) => event.camera_id === id).sort((a, b) => a.at_ms - b.at_ms);
    return {
      cameraId: id,
      name: camera?.name ?? its[0]?.camera ?? id.slice(0, 6),
      clips: clips.filter((clip) => clip.camera_id === id).sort((a, b) => a.start_ms - b.start_ms),
      events: its,
      offline: offlineSpans(its, camera?.online ?? true, from, to),
    };
  });
}

/** From each "offline" to the next "online". Before the first event it was what that event ended; after the last it is what it is now. */
export function offlineSpans(events: HomeEvent[], online: boolean, from: number, to: number): { from: number; to: number }[] {
  const out: { from: number; to: number }[] = [];
  let since: number | null = null;
  let seen = false;
  for (const event of events) {
    if (event.kind === 'camera-offline') {
      since ??= event.at_ms;
      seen = true;
    } else if (event.kind === 'camera-online') {
      if (since === null && !seen) since = from;
      if (since !== null) out.push({ from: since, to: event.at_ms });
      since = null;
      seen = true;
    }
  }
  if (since !== null) out.push({ from: since, to });
  else if (!seen && !online) out.push({ from, to });
  return out;
}

export function endOf(clip: Clip, now: number): number {
  return clip.finished ? clip.start_ms + clip.duration_ms : Math.max(now, clip.start_ms);
}

/** The clip that is closest to a moment in one row, or in all. */
export function nearest(rows: Row[], ms: number, row?: number): Clip | null {
  const among = row === undefined ? rows : rows.slice(row, row + 1);
  let best: Clip | null = null;
  let distance = Infinity;
  for (const clip of among.flatMap((one) => one.clips)) {
    const inside = ms >= clip.start_ms && ms <= clip.start_ms + clip.duration_ms;
    const d = inside ? 0 : Math.min(Math.abs(ms - clip.start_ms), Math.abs(ms - clip.start_ms - clip.duration_ms));
    if (d < distance) {
      best = clip;
      distance = d;
    }
  }
  return best;
}

/** Where an arrow key leads from a clip; older and newer go through all cameras. */
export function neighbour(rows: Row[], current: Clip | null, way: Way): Clip | null {
  const all = rows.flatMap((row) => row.clips).sort((a, b) => a.start_ms - b.start_ms || a.id.localeCompare(b.id));
  const [first, last] = [all[0] ?? null, all[all.length - 1] ?? null];
  if (way === 'first') return first;
  if (way === 'last' || !current) return last;
  const at = all.findIndex((clip) => clip.id === current.id);
  if (at < 0) return last;
  if (way === 'older') return all[Math.max(0, at - 1)] ?? null;
  if (way === 'newer') return all[Math.min(all.length - 1, at + 1)] ?? null;
  const step = way === 'up' ? -1 : 1;
  for (let row = rows.findIndex((one) => one.cameraId === current.camera_id) + step; row >= 0 && row < rows.length; row += step) {
    const found = nearest(rows, current.start_ms, row);
    if (found) return found;
  }
  return current;
}
