// The things that the server's answers are made of (docs/design/0019-viewer-page.md). Ids are hexadecimal text, times are Unix milliseconds.

import { count, flag, list, oneOf, orNull, record, tagged, text, type Of, type Shape } from './shape.js';

export type Trust =
  | { state: 'verified'; signer: string; lease_until_ms: number | null }
  | { state: 'pending' }
  | { state: 'broken'; why: string };

export const trust: Shape<Trust> = tagged<Trust>('state', {
  verified: record({ state: oneOf('verified'), signer: text, lease_until_ms: orNull(count) }),
  pending: record({ state: oneOf('pending') }),
  broken: record({ state: oneOf('broken'), why: text }),
});

export const state = record({
  version: text,
  device_name: text,
  paired: flag,
  removed: flag,
  hub_name: text,
  relay: text,
  link: oneOf('offline', 'connecting', 'relay', 'refused'),
  link_reason: orNull(text),
  caught_up: flag,
  hub_seen_ms: orNull(count),
  outbox: count,
  alerts: list(record({ at_ms: count, what: text })),
  cache_bytes: count,
  notifications: orNull(text),
  safety_number: orNull(text),
});
export type State = Of<typeof state>;

export const offer = record({ relay: text, hub_fingerprint: text, expires_ms: count });
export const offerInPicture = record({ code: text, relay: text, hub_fingerprint: text, expires_ms: count });
export type Offer = Of<typeof offerInPicture>;
export const paired = record({ safety_number: text });

export const camera = record({
  id: text,
  name: text,
  online: flag,
  width: count,
  height: count,
  codec: text,
  signer: text,
});
export type Camera = Of<typeof camera>;

export const device = record({
  id: text,
  name: text,
  this_device: flag,
  added_ms: count,
  last_seen_ms: orNull(count),
  fingerprint: text,
});
export type Device = Of<typeof device>;

export const event = record({
  id: text,
  kind: text,
  severity: text,
  title: text,
  body: text,
  camera_id: orNull(text),
  camera: text,
  clip_id: orNull(text),
  zones: list(text),
  at_ms: count,
  trust,
});
export type HomeEvent = Of<typeof event>;
export const eventPage = record({ events: list(event), next: orNull(text) });

export const notes = record({
  heat: list(count),
  peak_ms: count,
  zones: list(text),
  pinned: flag,
  thumbnail: flag,
});

export const clip = record({
  id: text,
  camera_id: text,
  start_ms: count,
  duration_ms: count,
  bytes: count,
  first_segment: count,
  finished: flag,
  local: flag,
  trust,
  notes: orNull(notes),
});
export type Clip = Of<typeof clip>;
export const clipPage = record({ clips: list(clip), next: orNull(text) });

export const outage = record({
  from_ms: count,
  until_ms: count,
  reason: oneOf('hub-off', 'camera-lost', 'damaged', 'storage-full', 'not-recorded'),
});
export const report = record({
  ok: flag,
  signer: text,
  signer_known: flag,
  chain: list(text),
  segments: count,
  first_segment: count,
  frames_checked: count,
  gaps: list(outage),
  clock_set_back: count,
  time_claim_ms: count,
  time_end_ms: count,
  problems: list(text),
});
export type Report = Of<typeof report>;

export const quietHours = record({ days: count, from_min: count, to_min: count });
export type QuietHours = Of<typeof quietHours>;

export const cameraSettings = record({
  camera_id: text,
  notify: flag,
  snooze_until_ms: orNull(count),
  cooldown_s: count,
  zones: list(text),
  health: flag,
});
export type CameraSettings = Of<typeof cameraSettings>;

export const settings = record({
  cameras: list(cameraSettings),
  away_only: flag,
  quiet: list(quietHours),
  time_zone: text,
  profile: orNull(oneOf('home', 'away')),
});
export type Settings = Of<typeof settings>;
export const settingsState = record({ kept: settings, known: flag, pending: orNull(settings) });
export type SettingsState = Of<typeof settingsState>;
