// Clips' thumbnails: fetched once, a bounded number kept as object URLs (which the Content-Security-Policy allows as `blob:`), each with its
// trust. Forgotten altogether when the device is removed.

import { Refused, api } from '../api/client.js';
import type { Trust } from '../api/types.js';

const MOST = 120;

export interface Picture {
  url: string;
  trust: Trust;
}

class Thumbnails {
  #kept = new Map<string, Promise<Picture | null>>();

  get(clipId: string): Promise<Picture | null> {
    const kept = this.#kept.get(clipId);
    if (kept) {
      this.#kept.delete(clipId);
      this.#kept.set(clipId, kept);
      return kept;
    }
    const asked = this.#fetch(clipId);
    this.#kept.set(clipId, asked);
    if (this.#kept.size > MOST) {
      const oldest = this.#kept.keys().next().value;
      if (oldest !== undefined) this.forget(oldest);
    }
    return asked;
  }

  forget(clipId: string): void {
    const kept = this.#kept.get(clipId);
    this.#kept.delete(clipId);
    void kept?.then((picture) => picture && URL.revokeObjectURL(picture.url));
  }

  forgetAll(): void {
    for (const id of [...this.#kept.keys()]) this.forget(id);
  }

  async #fetch(clipId: string): Promise<Picture | null> {
    try {
      const { picture, trust } = await api.thumbnail(clipId);
      if (trust.state === 'broken') return null;
      return { url: URL.createObjectURL(picture), trust };
    } catch (e) {
      // That there is none stays so until the clip's notes change; anything else may be better the next time.
      if (!(e instanceof Refused && e.kind === 'not-found')) this.#kept.delete(clipId);
      return null;
    }
  }
}

export const thumbnails = new Thumbnails();
