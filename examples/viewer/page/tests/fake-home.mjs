// The fake server's home: cameras, a week of clips and events, devices, settings. Invented, and the same at every start but for the time.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const CAMERAS = [
  { id: 'c1d00000000000000000000000000001', name: 'Front door', online: true, signer: 'MFZW-63LF-NQXX-G5DF-OJZX-2YLM-OBSX-E3DP' },
  { id: 'c1d00000000000000000000000000002', name: 'Driveway', online: true, signer: 'ORSX-G5DB-NZSC-A43P-NVSX-I2DJ-NZTS-A2LT' },
  { id: 'c1d00000000000000000000000000003', name: 'Garden', online: true, signer: 'GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ' },
  { id: 'c1d00000000000000000000000000004', name: 'Garage', online: false, signer: 'KRUG-KIDM-MF5H-SIDE-N5TS-A5DP-MVZX-I2LO' },
];

/** A small generator that is the same everywhere (mulberry32). */
function numbers(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const hex = (n, head) => head + n.toString(16).padStart(32 - head.length, '0');

function heat(random) {
  const [x, y, r] = [3 + random() * 10, 5 + random() * 8, 1.6 + random() * 2.4];
  return Array.from({ length: 256 }, (_, i) => {
    const d = Math.hypot((i % 16) - x, (Math.floor(i / 16) - y) * 0.8) / r;
    return Math.round(255 * Math.max(0, 1 - d * d * 0.35));
  });
}

export function makeHome(now = Date.now()) {
  const random = numbers(7);
  const clips = [];
  const events = [];
  const zonesOf = { 0: ['path', 'door'], 1: ['drive'], 2: ['lawn', 'gate'], 3: ['door'] };
  const event = (n, kind, severity, title, body, camera, at_ms, clip_id = null, zones = []) =>
    events.push({ id: hex(n, 'e'), kind, severity, title, body, camera_id: camera?.id ?? null, camera: camera?.name ?? '', clip_id, zones, at_ms, trust: { state: 'pending' } });
  for (let n = 0; n < 220; n += 1) {
    const which = Math.floor(random() * 3.4) % 4;
    const camera = CAMERAS[which];
    const start_ms = Math.round(now - 10 * 60_000 - Math.floor(random() * 7) * DAY - random() * random() * 23 * HOUR);
    const zone = zonesOf[which][Math.floor(random() * zonesOf[which].length)];
    // As long as the film that is played for every one.
    const duration_ms = 8000;
    const id = hex(n, 'a');
    const verified = random() < 0.6;
    clips.push({
      id,
      camera_id: camera.id,
      start_ms,
      duration_ms,
      bytes: Math.round(duration_ms * (80 + random() * 200)),
      first_segment: 0,
      finished: true,
      local: verified,
      trust: verified ? { state: 'verified', signer: camera.signer, lease_until_ms: null } : { state: 'pending' },
      notes: { heat: heat(random), peak_ms: start_ms + Math.round(duration_ms * 0.4), zones: [zone], pinned: random() < 0.06, thumbnail: true },
    });
    event(n, 'motion', 'info', `${camera.name}: motion`, `in ${zone}`, camera, start_ms + 5000, id, [zone]);
  }
  clips.sort((a, b) => b.start_ms - a.start_ms);
  // The special ones: broken, the beginning from before this phone joined, no notes, still being recorded.
  const special = { broken: clips[2].id, partial: clips[4].id, plain: clips[0].id };
  clips[2].trust = { state: 'broken', why: 'segment 3: the hash of frame 41 is not the signed one' };
  clips[4].first_segment = 2;
  clips[5].trust = { state: 'pending' };
  clips[5].notes.pinned = true;
  clips[6].notes = null;
  const recording = { ...clips[0], id: hex(900, 'a'), camera_id: CAMERAS[0].id, start_ms: now - 9000, duration_ms: 0, bytes: 0, finished: false, local: false, trust: { state: 'pending' }, notes: null };
  clips.unshift(recording);
  event(900, 'motion', 'info', 'Front door: motion', '', CAMERAS[0], now - 4000, recording.id);
  event(200, 'camera-offline', 'warning', 'Garage is offline', 'no answer to DESCRIBE in 10 s', CAMERAS[3], now - 5 * HOUR);
  event(201, 'camera-offline', 'warning', 'Garden is offline', 'connection reset', CAMERAS[2], now - 15 * HOUR);
  event(202, 'camera-online', 'info', 'Garden is online again', '', CAMERAS[2], now - 13 * HOUR);
  event(203, 'tampered', 'alarm', 'Driveway looks somewhere else', 'it was turned or moved', CAMERAS[1], now - 7 * HOUR);
  event(204, 'disk-nearly-full', 'warning', 'the hub’s disk is nearly full', '812 MiB are left', null, now - 30 * HOUR);
  events.sort((a, b) => b.at_ms - a.at_ms);
  return {
    special,
    clips,
    events,
    cameras: CAMERAS.map((camera) => ({ ...camera, width: 1280, height: 720, codec: 'avc1.4d401f' })),
    devices: [
      { id: hex(1, 'd'), name: 'Laptop in the kitchen', this_device: true, added_ms: now - 12 * DAY, last_seen_ms: now, fingerprint: '5b6c1f0a93d24e87b1c05d7f2a6e8c4490ab3de1f7265c08914e6bd2a3f05c7e' },
      { id: hex(2, 'd'), name: 'Ann’s phone', this_device: false, added_ms: now - 90 * DAY, last_seen_ms: now - 4 * 60_000, fingerprint: 'e07a44c2519db8f36a1c7e0d92b5f4836dce1a7702b94f58c3e6a0d17b2f9543' },
      { id: hex(3, 'd'), name: 'Old tablet', this_device: false, added_ms: now - 400 * DAY, last_seen_ms: null, fingerprint: '19fb02d68c7ae45310d9b6f82e4c7a05f3819bd64e20c75a8fd3160be9724ac1' },
    ],
    settings: {
      kept: {
        cameras: CAMERAS.map((camera, i) => ({ camera_id: camera.id, notify: i !== 2, snooze_until_ms: i === 1 ? now + 2 * HOUR : null, cooldown_s: 60, zones: i === 0 ? ['path'] : [], health: true })),
        away_only: false,
        quiet: [{ days: 0b001_1111, from_min: 22 * 60 + 30, to_min: 6 * 60 + 30 }],
        time_zone: 'Europe/Berlin',
        profile: 'home',
      },
      known: true,
      pending: null,
    },
    state: {
      version: '0.1.0',
      device_name: 'Laptop in the kitchen',
      paired: true,
      removed: false,
      hub_name: 'Hedge Lane 7',
      relay: 'relay.example.org:4433',
      link: 'relay',
      link_reason: null,
      caught_up: true,
      hub_seen_ms: now - 1000,
      outbox: 0,
      alerts: [],
      cache_bytes: 734_003_200,
      notifications: null,
      safety_number: '48213 90577 16034 77120 65981 30442 09817 55263 71190 24608 83355 12749',
    },
  };
}

export function makeReport(clip, camera) {
  return {
    ok: clip.trust.state !== 'broken',
    signer: camera.signer,
    signer_known: true,
    chain: Array.from({ length: 6 }, (_, i) => hex(i, 'f')),
    segments: 6,
    first_segment: clip.first_segment,
    frames_checked: 372,
    // Before the one that is partial the camera was away.
    gaps: clip.first_segment > 0 ? [{ from_ms: clip.start_ms - 90_000, until_ms: clip.start_ms, reason: 'camera-lost' }] : [],
    clock_set_back: 0,
    time_claim_ms: clip.start_ms,
    time_end_ms: clip.start_ms + clip.duration_ms,
    problems: [],
  };
}
