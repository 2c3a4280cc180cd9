import assert from 'node:assert/strict';
import test from 'node:test';

import { Ribbon } from '../../src/live/ribbon.js';
import { Gate } from '../../src/live/player.js';
import { gapReason } from '../../src/live/messages.js';
import type { Head } from '../../src/live/head.js';

const verified = { stream: 'a', index: 1, atMs: 0, trust: { state: 'verified' as const, signer: 'S', lease_until_ms: null } };

test('blocks are groups of pictures, and a verdict colours those it covers whole', () => {
  const ribbon = new Ribbon();
  for (let frame = 10; frame < 30; frame += 1) ribbon.picture(frame, frame % 10 === 0, frame * 100);
  assert.deepEqual(ribbon.blocks.map(({ first, last, kind }) => [first, last, kind]), [
    [10, 19, 'pending'],
    [20, 29, 'pending'],
  ]);
  ribbon.verdict({ ...verified, first: 10, last: 19 });
  assert.deepEqual(ribbon.blocks.map(({ kind }) => kind), ['verified', 'pending']);
  ribbon.verdict({ ...verified, first: 0, last: 0, trust: { state: 'broken', why: '' } });
  assert.deepEqual(ribbon.blocks.map(({ kind }) => kind), ['verified', 'broken']);
});

test('gaps of one kind are one gap, and it stays bounded', () => {
  const ribbon = new Ribbon();
  ribbon.gap(3, 'network_loss', 100);
  ribbon.gap(4, 'network_loss', 200);
  ribbon.gap(1, 'slow_viewer', 300);
  assert.deepEqual(ribbon.blocks.map(({ missed, reason }) => [missed, reason]), [
    [7, 'network_loss'],
    [1, 'slow_viewer'],
  ]);
  for (let frame = 0; frame < 100_000; frame += 1) ribbon.picture(frame, true, frame);
  assert.ok(ribbon.blocks.length <= 400);
});

test('a gate leaves out up to the next key frame and says what', () => {
  const left: number[][] = [];
  const gate = new Gate((from, to) => left.push([from, to]));
  const head = (frame: number, key = false) => ({ frame, key }) as Head;
  assert.equal(gate.passes(head(1), false), false, 'nothing before the first key frame');
  assert.equal(gate.passes(head(2, true), false), true);
  assert.equal(gate.passes(head(3), true), false, 'no room');
  assert.equal(gate.passes(head(4), false), false, 'needs what was left out');
  assert.equal(gate.passes(head(5, true), false), true);
  assert.deepEqual(left, [[3, 5]]);
  gate.close(null);
  assert.equal(gate.passes(head(6), false), false);
  assert.equal(gate.passes(head(7, true), false), true);
  assert.deepEqual(left, [[3, 5]], 'what the server left out it says itself');
});

test('reasons are known however they are spelled', () => {
  assert.equal(gapReason('SlowViewer'), 'slow_viewer');
  assert.equal(gapReason('network-loss'), 'network_loss');
  assert.equal(gapReason('failed_verification'), 'failed_verification');
  assert.equal(gapReason('solar_flare'), 'unknown');
});
