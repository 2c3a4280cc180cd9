// Times, ages and sizes in words, in the browser's own zone and the page's language. Pure: whoever asks says what time it is.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const LANGUAGE = 'en-GB';

/** `14:05`, or `14:05:09`. */
export function clock(ms: number, seconds = false): string {
  const shape: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
  return new Date(ms).toLocaleTimeString(LANGUAGE, seconds ? { ...shape, second: '2-digit' } : shape);
}

/** `Sun 22 Nov 2026, 14:05`. */
export function moment(ms: number, seconds = false): string {
  const day = new Date(ms).toLocaleDateString(LANGUAGE, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
  return `${day.replace(',', '')}, ${clock(ms, seconds)}`;
}

/** `Today`, `Yesterday`, `Friday 20 November`. */
export function day(ms: number, now: number): string {
  const days = Math.round((startOfDay(now) - startOfDay(ms)) / DAY);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return new Date(ms).toLocaleDateString(LANGUAGE, { weekday: 'long', day: 'numeric', month: 'long' }).replace(',', '');
}

export function startOfDay(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** `now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function ago(ms: number, now: number): string {
  const age = Math.max(0, now - ms);
  if (age < 2 * SECOND) return 'now';
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  const days = Math.floor(age / DAY);
  return days === 1 ? '1 day ago' : `${days} days ago`;
}

/** How long: `8 s`, `1:05 min`, `2:03:04 h`. */
export function span(ms: number): string {
  const all = Math.round(ms / SECOND);
  const two = (n: number) => String(n).padStart(2, '0');
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)}:${two(all % 60)} min`;
  return `${Math.floor(all / 3600)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)} h`;
}

/** `9:59` of what is left. */
export function left(ms: number): string {
  const all = Math.max(0, Math.ceil(ms / SECOND));
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, '0')}`;
}

/** `120 ms`, `1.4 s`. */
export function delay(ms: number): string {
  return Math.abs(ms) < 1000 ? `${Math.round(ms / 10) * 10} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

/** The next 7:00, for a snooze that ends in the morning. */
export function nextMorning(now: number): number {
  const at = new Date(now);
  at.setHours(7, 0, 0, 0);
  if (at.getTime() <= now) at.setDate(at.getDate() + 1);
  return at.getTime();
}

/** Minutes after midnight as `07:30`; 1440 is `24:00`. */
export function minutes(of: number): string {
  return `${String(Math.floor(of / 60)).padStart(2, '0')}:${String(of % 60).padStart(2, '0')}`;
}
