import assert from 'node:assert/strict';
import test from 'node:test';

import { HEAD_BYTES, parseHead } from '../../src/live/head.js';

function message(): ArrayBuffer {
  const bytes = new ArrayBuffer(HEAD_BYTES + 3);
  const view = new DataView(bytes);
  view.setUint8(1, 1);
  view.setUint32(4, 66_666, true);
  view.setBigUint64(8, 120_007n, true);
  view.setBigInt64(16, -5n, true);
  view.setBigInt64(24, 1_795_000_000_123n, true);
  view.setBigInt64(32, 1_795_000_000_170n, true);
  new Uint8Array(bytes).set([7, 8, 9], HEAD_BYTES);
  return bytes;
}

test('a head is read as the contract lays it out', () => {
  const got = parseHead(message());
  assert.deepEqual(got?.head, {
    track: 'video',
    key: true,
    durationUs: 66_666,
    frame: 120_007,
    ptsUs: -5,
    captureMs: 1_795_000_000_123,
    sentMs: 1_795_000_000_170,
  });
  assert.deepEqual([...(got?.data ?? [])], [7, 8, 9]);
});

test('what is too short or of an unknown kind is nothing', () => {
  assert.equal(parseHead(message().slice(0, HEAD_BYTES - 1)), null);
  const other = message();
  new DataView(other).setUint8(0, 2);
  assert.equal(parseHead(other), null);
});
