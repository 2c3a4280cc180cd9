// Which trust alerts somebody has looked at: the newest time that was seen is kept in this browser, so that a banner stays until then, also over
// a reload.

import { home } from '../home.js';
import { keep } from '../theme.js';

const KEY = 'privet-alerts-seen';

export interface Alert {
  at_ms: number;
  what: string;
}

export class Alerts extends EventTarget {
  /** Newest first. */
  get list(): Alert[] {
    return [...(home.state?.alerts ?? [])].sort((a, b) => b.at_ms - a.at_ms);
  }

  get newest(): Alert | undefined {
    return this.list[0];
  }

  get unseen(): number {
    return this.list.filter((alert) => this.isNew(alert)).length;
  }

  isNew(alert: Alert): boolean {
    return alert.at_ms > Number(keep.read(KEY) ?? 0);
  }

  seen(): void {
    const newest = this.newest;
    if (!newest || !this.isNew(newest)) return;
    keep.write(KEY, String(newest.at_ms));
    this.dispatchEvent(new Event('change'));
  }
}
