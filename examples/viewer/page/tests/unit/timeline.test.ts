import assert from 'node:assert/strict';
import test from 'node:test';

import type { Camera, Clip, HomeEvent } from '../../src/api/types.js';
import { layOut, nearest, neighbour, offlineSpans } from '../../src/timeline/rows.js';
import { ticks, timeAt, xOf } from '../../src/timeline/scale.js';
import { colours } from '../../src/timeline/heat.js';

const camera = (id: string): Camera => ({ id, name: id, online: true, width: 0, height: 0, codec: '', signer: '' });
const clip = (id: string, camera_id: string, start_ms: number): Clip => ({
  id,
  camera_id,
  start_ms,
  duration_ms: 100,
  bytes: 0,
  first_segment: 0,
  finished: true,
  local: true,
  trust: { state: 'pending' },
  notes: null,
});
const happened = (kind: string, at_ms: number): HomeEvent => ({
  id: `${kind}${at_ms}`,
  kind,
  severity: 'info',
  title: '',
  body: '',
  camera_id: 'A',
  camera: 'A',
  clip_id: null,
  zones: [],
  at_ms,
  trust: { state: 'pending' },
});

test('place and time are each other’s reverse', () => {
  const scale = { from: 1000, to: 3000, width: 400 };
  assert.equal(xOf(scale, 2000), 200);
  assert.equal(timeAt(scale, 200), 2000);
});

test('marks stand on the hour, also over the day the clocks change', () => {
  // 25 October 2026: Berlin's clocks go back at 3:00.
  const from = new Date('2026-10-24T20:10:00+02:00').getTime();
  const scale = { from, to: from + 24 * 3_600_000, width: 720 };
  const marks = ticks(scale);
  assert.ok(marks.length >= 5);
  for (const mark of marks) assert.equal(new Date(mark.atMs).getMinutes(), 0);
  const day = marks.find((mark) => mark.strong);
  assert.equal(day && new Date(day.atMs).getHours(), 0);
  const xs = marks.map((mark) => xOf(scale, mark.atMs));
  xs.slice(1).forEach((x, i) => assert.ok(x - (xs[i] ?? 0) > 55));
});

test('arrow keys go through all cameras in time, and between cameras at about the same time', () => {
  const rows = layOut([camera('A'), camera('B'), camera('C')], [clip('3', 'A', 3000), clip('1', 'A', 1000), clip('2', 'B', 2100)], [], 0, 9999);
  const by = (id: string) => rows.flatMap((row) => row.clips).find((one) => one.id === id) ?? null;
  assert.equal(neighbour(rows, by('1'), 'newer')?.id, '2');
  assert.equal(neighbour(rows, by('2'), 'newer')?.id, '3');
  assert.equal(neighbour(rows, by('3'), 'newer')?.id, '3');
  assert.equal(neighbour(rows, by('1'), 'older')?.id, '1');
  assert.equal(neighbour(rows, null, 'older')?.id, '3', 'one begins with the newest');
  assert.equal(neighbour(rows, by('2'), 'first')?.id, '1');
  assert.equal(neighbour(rows, by('2'), 'up')?.id, '3', 'the nearest in time: 2100 is nearer to 3000 minus its length than to 1100');
  assert.equal(neighbour(rows, by('3'), 'down')?.id, '2');
  assert.equal(neighbour(rows, by('2'), 'down')?.id, '2', 'a camera without clips is passed over');
});

test('the nearest clip is the one that is pointed at', () => {
  const rows = layOut([camera('A'), camera('B')], [clip('1', 'A', 1000), clip('2', 'B', 1050)], [], 0, 9999);
  assert.equal(nearest(rows, 1060, 0)?.id, '1');
  assert.equal(nearest(rows, 1060, 1)?.id, '2');
  assert.equal(nearest([], 1060), null);
});

test('a camera is offline from one word to the next, and to the edges', () => {
  assert.deepEqual(offlineSpans([happened('camera-offline', 10), happened('camera-online', 20)], true, 0, 100), [{ from: 10, to: 20 }]);
  assert.deepEqual(offlineSpans([happened('camera-online', 20)], true, 0, 100), [{ from: 0, to: 20 }]);
  assert.deepEqual(offlineSpans([happened('camera-offline', 90)], false, 0, 100), [{ from: 90, to: 100 }]);
  assert.deepEqual(offlineSpans([], false, 0, 100), [{ from: 0, to: 100 }]);
  assert.deepEqual(offlineSpans([], true, 0, 100), []);
});

test('heat is nothing where nothing moved and thickest where most did', () => {
  const heat = new Array<number>(256).fill(0);
  heat[17] = 255;
  heat[18] = 100;
  const pixels = colours(heat);
  assert.equal(pixels[3], 0);
  assert.ok((pixels[17 * 4 + 3] ?? 0) > (pixels[18 * 4 + 3] ?? 0));
  assert.equal(colours([]).length, 1024);
});
