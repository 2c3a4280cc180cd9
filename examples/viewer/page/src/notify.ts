// Telling the person: short messages in the page, and the system's notifications while the page is in the background and may.

import type { Notice } from './api/happenings.js';

export interface Toast {
  id: number;
  title: string;
  body: string;
  kind: 'plain' | 'good' | 'warn' | 'bad';
  href: string | null;
}

const SHOWN_MS = 7000;
const MOST = 4;

export const toasts = new (class extends EventTarget {
  list: Toast[] = [];
  #next = 1;

  say(title: string, more: Partial<Omit<Toast, 'id' | 'title'>> = {}): void {
    const toast: Toast = { id: this.#next, title, body: '', kind: 'plain', href: null, ...more };
    this.#next += 1;
    this.list = [...this.list, toast].slice(-MOST);
    this.dispatchEvent(new Event('change'));
    setTimeout(() => this.drop(toast.id), SHOWN_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
    this.dispatchEvent(new Event('change'));
  }
})();

export function tell(notice: Notice): void {
  const href = notice.clip_id ? `#/clip/${notice.clip_id}` : '#/events';
  const kind = notice.severity === 'alarm' ? 'bad' : notice.severity === 'warning' ? 'warn' : 'plain';
  toasts.say(notice.title, { body: notice.body, kind, href });
  // One from another day may be brought by a relay when it likes: it alerts nobody.
  if (notice.stale || document.visibilityState === 'visible' || !allowed()) return;
  const shown = new Notification(notice.title, { body: notice.body, tag: notice.event_id });
  shown.onclick = () => {
    window.focus();
    location.hash = href;
    shown.close();
  };
}

export function permission(): NotificationPermission | 'none' {
  return typeof Notification === 'function' ? Notification.permission : 'none';
}

function allowed(): boolean {
  return permission() === 'granted';
}
