// Time and place on the timeline: which pixel is which moment, and where the marks of the hours go. Pure; days and hours are the browser's own,
// so that a mark stays on the hour also when the clocks change.

export interface Scale {
  from: number;
  to: number;
  width: number;
}

export interface Tick {
  atMs: number;
  label: string;
  /** A day begins. */
  strong: boolean;
}

const HOUR = 3_600_000;
/** Steps in hours, the finest first. */
const STEPS = [1, 2, 3, 6, 12, 24, 48];
const ROOM_PX = 62;

export function xOf(scale: Scale, ms: number): number {
  return ((ms - scale.from) / (scale.to - scale.from)) * scale.width;
}

export function timeAt(scale: Scale, x: number): number {
  return scale.from + (x / scale.width) * (scale.to - scale.from);
}

export function ticks(scale: Scale): Tick[] {
  const perHour = (HOUR / (scale.to - scale.from)) * scale.width;
  const step = STEPS.find((hours) => hours * perHour >= ROOM_PX) ?? STEPS[STEPS.length - 1] ?? 48;
  const at = new Date(scale.from);
  at.setMinutes(0, 0, 0);
  if (step >= 24) at.setHours(0);
  else at.setHours(Math.floor(at.getHours() / step) * step);
  const out: Tick[] = [];
  for (let guard = 0; at.getTime() <= scale.to && guard < 500; guard += 1) {
    const ms = at.getTime();
    if (ms >= scale.from) {
      const strong = at.getHours() === 0;
      const label = strong
        ? at.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric' })
        : at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
      out.push({ atMs: ms, label, strong });
    }
    if (step >= 24) at.setDate(at.getDate() + step / 24);
    else at.setHours(at.getHours() + step);
  }
  return out;
}
