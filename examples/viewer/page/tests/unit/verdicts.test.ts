import assert from 'node:assert/strict';
import test from 'node:test';

import type { Trust } from '../../src/api/types.js';
import type { Segment } from '../../src/live/messages.js';
import { Verdicts } from '../../src/live/verdicts.js';

const good: Trust = { state: 'verified', signer: 'ABCD', lease_until_ms: null };
const bad: Trust = { state: 'broken', why: 'a hash' };

const segment = (stream: string, index: number, trust: Trust): Segment => ({
  type: 'segment',
  stream,
  index,
  first_frame: trust === good ? index * 10 : 0,
  last_frame: trust === good ? index * 10 + 9 : 0,
  trust,
});

test('a verified segment covers its frames and no others', () => {
  const verdicts = new Verdicts();
  verdicts.handle(segment('a', 3, good), 1);
  assert.equal(verdicts.of(29), null);
  assert.equal(verdicts.of(30)?.index, 3);
  assert.equal(verdicts.of(39)?.index, 3);
  assert.equal(verdicts.of(40), null);
});

test('after a broken segment nothing is shown until a later one is verified', () => {
  const verdicts = new Verdicts();
  verdicts.handle(segment('a', 4, bad), 1);
  assert.equal(verdicts.broken?.index, 4);
  // One before it says nothing about what comes after it.
  verdicts.handle(segment('a', 3, good), 2);
  assert.equal(verdicts.broken?.index, 4);
  verdicts.handle(segment('a', 5, bad), 3);
  assert.equal(verdicts.broken?.index, 5);
  verdicts.handle(segment('a', 6, good), 4);
  assert.equal(verdicts.broken, null);
});

test('a verdict that was overtaken by a later good one takes nothing away', () => {
  const verdicts = new Verdicts();
  verdicts.handle(segment('a', 5, good), 1);
  verdicts.handle(segment('a', 4, bad), 2);
  assert.equal(verdicts.broken, null);
  assert.equal(verdicts.last?.trust.state, 'broken');
});

test('a stream that begins later is later, one that began before is not', () => {
  const verdicts = new Verdicts();
  verdicts.handle(segment('old', 90, good), 1);
  verdicts.handle(segment('new', 0, bad), 2);
  verdicts.handle(segment('old', 91, good), 3);
  assert.equal(verdicts.broken?.stream, 'new');
  verdicts.handle(segment('newest', 0, good), 4);
  assert.equal(verdicts.broken, null);
});

test('after an interruption frames are not covered by what was verified, unless their stream goes on', () => {
  const verdicts = new Verdicts();
  verdicts.handle(segment('old', 3, good), 1);
  verdicts.interrupted();
  assert.equal(verdicts.of(35), null);
  verdicts.handle(segment('old', 4, good), 2);
  assert.equal(verdicts.of(45)?.stream, 'old');
  assert.equal(verdicts.of(35)?.stream, 'old');
  verdicts.interrupted();
  verdicts.handle(segment('new', 4, good), 3);
  assert.equal(verdicts.of(45)?.stream, 'new');
  assert.equal(verdicts.of(35), null, 'it may have been another picture');
});
