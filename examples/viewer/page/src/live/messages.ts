// The text messages of a live view, checked. Names of reasons are taken as they come, whatever their case: `SlowViewer` is `slow_viewer`.

import { count, flag, oneOf, orNull, record, tagged, text, type Of, type Shape } from '../api/shape.js';
import { trust } from '../api/types.js';

const format = record({
  type: oneOf('format'),
  codec: text,
  width: count,
  height: count,
  audio_codec: orNull(text),
  substream: flag,
  header: text,
});
const segment = record({ type: oneOf('segment'), stream: text, index: count, first_frame: count, last_frame: count, trust });
const gap = record({ type: oneOf('gap'), from_seq: count, to_seq: count, reason: text });
const stats = record({
  type: oneOf('stats'),
  received: count,
  dropped: count,
  lost: count,
  verified: count,
  broken: count,
  latency_ms: count,
});
const end = record({ type: oneOf('end'), reason: text });

export type Format = Of<typeof format>;
export type Segment = Of<typeof segment>;
export type LiveStats = Of<typeof stats>;
export type LiveMessage = Format | Segment | Of<typeof gap> | LiveStats | Of<typeof end>;

export const liveMessage: Shape<LiveMessage> = tagged<LiveMessage>('type', { format, segment, gap, stats, end });

/** Two are this page's own: it could not decode as fast as pictures came (`slow_page`), or had no connection (`not_watched`). */
export type GapReason = 'new_stream' | 'slow_viewer' | 'camera_restart' | 'network_loss' | 'failed_verification' | 'slow_page' | 'not_watched' | 'unknown';

const REASONS: GapReason[] = ['new_stream', 'slow_viewer', 'camera_restart', 'network_loss', 'failed_verification'];

export function gapReason(name: string): GapReason {
  const bare = name.toLowerCase().replace(/[^a-z]/g, '');
  return REASONS.find((reason) => reason.replace('_', '') === bare) ?? 'unknown';
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) out[i] = text.charCodeAt(i);
  return out;
}
