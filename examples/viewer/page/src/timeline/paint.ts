// Draws the timeline: hours, a row for each camera with its clips, events and the times without it, and what is chosen. It reads its colours
// from the page's custom properties and keeps nothing.

import type { Clip } from '../api/types.js';
import { endOf, type Row } from './rows.js';
import { ticks, xOf, type Scale } from './scale.js';

export const AXIS_PX = 26;
export const ROW_PX = 46;
const LABEL_PX = 16;
const BAR_PX = 18;
const LEAST_PX = 4;

export interface Scene {
  scale: Scale;
  rows: Row[];
  chosen: Clip | null;
  now: number;
  /** Where the pointer is. */
  pointer: number | null;
}

export interface Colours {
  ink: string;
  soft: string;
  line: string;
  track: string;
  accent: string;
  bad: string;
  warn: string;
  surface: string;
  font: string;
}

export function height(rows: number): number {
  return AXIS_PX + Math.max(1, rows) * ROW_PX + 4;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene, colours: Colours): void {
  const { scale, rows } = scene;
  const bottom = height(rows.length);
  context.clearRect(0, 0, scale.width, bottom);
  context.font = `12px ${colours.font}`;
  context.textBaseline = 'middle';
  for (const tick of ticks(scale)) {
    const x = Math.round(xOf(scale, tick.atMs)) + 0.5;
    context.strokeStyle = colours.line;
    context.globalAlpha = tick.strong ? 1 : 0.6;
    line(context, x, AXIS_PX - 4, x, bottom);
    context.globalAlpha = 1;
    context.fillStyle = tick.strong ? colours.ink : colours.soft;
    const wide = context.measureText(tick.label).width;
    if (x + wide / 2 < scale.width && x - wide / 2 > 0) context.fillText(tick.label, x - wide / 2, 10);
  }
  rows.forEach((row, i) => paintRow(context, scene, row, AXIS_PX + i * ROW_PX, colours));
  if (scene.pointer !== null) {
    context.strokeStyle = colours.soft;
    line(context, Math.round(scene.pointer) + 0.5, AXIS_PX - 4, Math.round(scene.pointer) + 0.5, bottom);
  }
}

function paintRow(context: CanvasRenderingContext2D, scene: Scene, row: Row, top: number, colours: Colours): void {
  const { scale } = scene;
  const y = top + LABEL_PX + 4;
  context.fillStyle = colours.track;
  rounded(context, 0, y, scale.width, BAR_PX, 6);
  context.fill();
  for (const span of row.offline) hatch(context, Math.max(0, xOf(scale, span.from)), Math.min(scale.width, xOf(scale, span.to)), y, colours);
  for (const clip of row.clips) {
    const from = xOf(scale, clip.start_ms);
    const wide = Math.max(LEAST_PX, xOf(scale, endOf(clip, scene.now)) - from);
    if (from + wide < 0 || from > scale.width) continue;
    const chosen = scene.chosen?.id === clip.id;
    context.fillStyle = clip.trust.state === 'broken' ? colours.bad : colours.accent;
    context.globalAlpha = clip.trust.state === 'verified' || chosen ? 1 : 0.75;
    rounded(context, from, y, wide, BAR_PX, Math.min(4, wide / 2));
    context.fill();
    context.globalAlpha = 1;
    if (clip.notes?.pinned) {
      context.beginPath();
      context.arc(from + wide / 2, y + BAR_PX + 4, 2.2, 0, Math.PI * 2);
      context.fill();
    }
    if (chosen) {
      context.strokeStyle = colours.ink;
      context.lineWidth = 2;
      rounded(context, from - 3, y - 3, wide + 6, BAR_PX + 6, 6);
      context.stroke();
      context.lineWidth = 1;
    }
  }
  for (const event of row.events) {
    if (event.kind === 'motion' || event.severity === 'info') continue;
    diamond(context, xOf(scale, event.at_ms), y + BAR_PX / 2, event.severity === 'alarm' ? colours.bad : colours.warn, colours.surface);
  }
  // Last, so that nothing lies over the camera's name.
  context.fillStyle = colours.soft;
  context.fillText(row.name, 0, top + 9, scale.width);
}

function hatch(context: CanvasRenderingContext2D, from: number, to: number, y: number, colours: Colours): void {
  if (to <= from) return;
  context.save();
  context.beginPath();
  context.rect(from, y, to - from, BAR_PX);
  context.clip();
  context.fillStyle = colours.surface;
  context.fill();
  context.strokeStyle = colours.warn;
  context.globalAlpha = 0.7;
  for (let x = from - BAR_PX; x < to; x += 6) line(context, x, y + BAR_PX, x + BAR_PX, y);
  context.restore();
}

function diamond(context: CanvasRenderingContext2D, x: number, y: number, fill: string, edge: string): void {
  context.beginPath();
  context.moveTo(x, y - 6);
  context.lineTo(x + 6, y);
  context.lineTo(x, y + 6);
  context.lineTo(x - 6, y);
  context.closePath();
  context.fillStyle = fill;
  context.strokeStyle = edge;
  context.lineWidth = 2;
  context.stroke();
  context.fill();
  context.lineWidth = 1;
}

function line(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function rounded(context: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, r: number): void {
  context.beginPath();
  context.roundRect(x, y, w, h, r);
}
