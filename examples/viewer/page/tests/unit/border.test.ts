import assert from 'node:assert/strict';
import test from 'node:test';

import { Misshapen } from '../../src/api/shape.js';
import { clip, settingsState, trust } from '../../src/api/types.js';
import { liveMessage } from '../../src/live/messages.js';
import { hashOf, parseRoute } from '../../src/route.js';
import { ago, bytes, day, delay, left, minutes, nextMorning, span } from '../../src/times.js';

test('what the server says is taken or refused with its place', () => {
  assert.deepEqual(trust({ state: 'verified', signer: 'S' }, ''), { state: 'verified', signer: 'S', lease_until_ms: null });
  assert.deepEqual(trust({ state: 'broken', why: 'x', more: 1 }, ''), { state: 'broken', why: 'x' });
  assert.throws(() => trust({ state: 'fine' }, 'trust'), /trust\.state/);
  assert.throws(() => trust(null, 'X'), Misshapen);
  assert.throws(() => clip({ id: 'a' }, ''), /camera_id/);
  const kept = { cameras: [], away_only: false, quiet: [{ days: 3, from_min: 0, to_min: 1440 }], time_zone: '', profile: null };
  assert.equal(settingsState({ kept, known: true, pending: null }, '').kept.quiet[0]?.days, 3);
  assert.throws(() => settingsState({ kept: { ...kept, quiet: [{ days: '3' }] }, known: true }, ''), /kept\.quiet\[0\]\.days/);
});

test('live messages are told apart', () => {
  assert.equal(liveMessage({ type: 'end', reason: 'over' }, '').type, 'end');
  assert.throws(() => liveMessage({ type: 'other' }, ''), Misshapen);
});

test('routes are read and written', () => {
  assert.deepEqual(parseRoute('#/clip/ab12'), { page: 'clip', id: 'ab12' });
  assert.deepEqual(parseRoute('#/clip/'), { page: 'cameras' });
  assert.deepEqual(parseRoute(''), { page: 'cameras' });
  assert.deepEqual(parseRoute('#/health'), { page: 'health' });
  assert.deepEqual(parseRoute('#/camera/%zz'), { page: 'cameras' });
  assert.equal(hashOf({ page: 'camera', id: 'a/b' }), '#/camera/a%2Fb');
  assert.deepEqual(parseRoute(hashOf({ page: 'camera', id: 'a/b' })), { page: 'camera', id: 'a/b' });
});

test('times are words', () => {
  const now = new Date(2026, 10, 22, 15, 0).getTime();
  assert.equal(ago(now - 1000, now), 'now');
  assert.equal(ago(now - 61_000, now), '1 min ago');
  assert.equal(ago(now + 5000, now), 'now');
  assert.equal(day(now - 3_600_000, now), 'Today');
  assert.equal(day(now - 16 * 3_600_000, now), 'Yesterday');
  assert.equal(span(8400), '8 s');
  assert.equal(span(65_000), '1:05 min');
  assert.equal(left(61_500), '1:02');
  assert.equal(delay(87), '90 ms');
  assert.equal(delay(1440), '1.4 s');
  assert.equal(bytes(3 * 1024 * 1024), '3.0 MiB');
  assert.equal(minutes(1440), '24:00');
  assert.equal(new Date(nextMorning(now)).getHours(), 7);
  assert.ok(nextMorning(now) > now);
  assert.equal(new Date(nextMorning(new Date(2026, 10, 22, 6, 59).getTime())).getDate(), 22);
});
