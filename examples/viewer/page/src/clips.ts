// Clips as the page knows them: by id, and those of a span of time. The server gives them in pages, newest first; how many are fetched is
// bounded.

import { api, Refused } from './api/client.js';
import type { Clip, HomeEvent } from './api/types.js';

const PAGE = 200;
/** More than these are not drawn on a timeline. */
export const MOST = 2000;
const MOST_EVENTS = 1000;
const KNOWN = 4000;

const known = new Map<string, Clip>();

export function knownClip(id: string | null): Clip | null {
  return (id && known.get(id)) || null;
}

export function learn(clips: Clip[]): void {
  for (const clip of clips) {
    known.delete(clip.id);
    known.set(clip.id, clip);
  }
  for (const id of known.keys()) {
    if (known.size <= KNOWN) break;
    known.delete(id);
  }
}

export function forgetClips(ids?: string[]): void {
  if (!ids) known.clear();
  for (const id of ids ?? []) known.delete(id);
}

/** The clips of a span, newest first, and whether these are not all. */
export async function clipsBetween(from: number, to: number, camera?: string): Promise<{ clips: Clip[]; more: boolean }> {
  const clips: Clip[] = [];
  let page: string | undefined;
  do {
    const got = await api.clips({ camera, from, to, page, limit: PAGE });
    clips.push(...got.clips);
    page = got.next ?? undefined;
  } while (page !== undefined && clips.length < MOST);
  learn(clips);
  return { clips, more: page !== undefined };
}

export async function eventsBetween(from: number, to: number, camera?: string): Promise<HomeEvent[]> {
  const events: HomeEvent[] = [];
  let page: string | undefined;
  do {
    const got = await api.events({ camera, from, to, page, limit: PAGE });
    events.push(...got.events);
    page = got.next ?? undefined;
  } while (page !== undefined && events.length < MOST_EVENTS);
  return events;
}

/** One clip as it is now; null when there is none. */
export async function findClip(id: string): Promise<Clip | null> {
  try {
    const clip = await api.clip(id);
    learn([clip]);
    return clip;
  } catch (e) {
    if (e instanceof Refused && e.status === 404) return null;
    throw e;
  }
}
