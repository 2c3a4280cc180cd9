// The requests to the server, typed, each answer checked at this border. What the server refuses throws `Refused` with the server's own words;
// that it can't be reached at all throws `Unreachable`, which the page shows as a state of its own.

import { anything, list, type Shape } from './shape.js';
import * as t from './types.js';

/** The server said no: its words, and the class that says what to do. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly kind: string,
    readonly status: number,
    readonly retryAfterMs: number | null,
  ) {
    super(message);
  }
}

/** Nobody answers: the process behind the page has ended. */
export class Unreachable extends Error {}

export interface Span {
  camera?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
  page?: string | undefined;
  limit?: number | undefined;
}

export const api = {
  state: () => ask('GET', '/api/state', t.state, { patienceMs: 10_000 }),
  offer: async (code: string): Promise<t.Offer> => ({ code, ...(await ask('POST', '/api/offer', t.offer, { json: { code } })) }),
  offerPicture: (picture: Blob) => ask('POST', '/api/offer/picture', t.offerInPicture, { body: picture }),
  pair: (code: string) => ask('POST', '/api/pair', t.paired, { json: { code } }),
  cameras: () => ask('GET', '/api/cameras', list(t.camera)),
  devices: () => ask('GET', '/api/devices', list(t.device)),
  renameDevice: (id: string, name: string) => ask('POST', `/api/devices/${encodeURIComponent(id)}/rename`, anything, { json: { name } }),
  removeDevice: (id: string) => ask('POST', `/api/devices/${encodeURIComponent(id)}/remove`, anything, { json: {} }),
  events: (span: Span) => ask('GET', `/api/events${query(span)}`, t.eventPage),
  clips: (span: Span) => ask('GET', `/api/clips${query(span)}`, t.clipPage),
  clip: (id: string) => ask('GET', `/api/clips/${encodeURIComponent(id)}`, t.clip),
  thumbnail: (id: string) => thumbnail(id),
  report: (id: string) => ask('GET', clipPath(id, 'report'), t.report),
  pin: (id: string, pinned: boolean) => ask('POST', clipPath(id, 'pin'), anything, { json: { pinned } }),
  settings: () => ask('GET', '/api/settings', t.settingsState),
  putSettings: (settings: t.Settings) => ask('PUT', '/api/settings', anything, { json: settings }),
  snooze: (cameraId: string | null, untilMs: number | null) =>
    ask('POST', '/api/snooze', anything, { json: { camera_id: cameraId, until_ms: untilMs } }),
  profile: (profile: 'home' | 'away') => ask('POST', '/api/profile', anything, { json: { profile } }),
  /** Why a clip's film does not play, in the server's words; null when the server would give it. */
  whyNoVideo: (id: string) => whyNoVideo(id),
};

export const videoPath = (clipId: string) => clipPath(clipId, 'video.mp4');
export const exportPath = (clipId: string) => clipPath(clipId, 'export.mp4');

function clipPath(id: string, what: string): string {
  return `/api/clips/${encodeURIComponent(id)}/${what}`;
}

function query(span: Span): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(span)) if (value !== undefined) out.set(name, String(value));
  return out.size > 0 ? `?${out}` : '';
}

interface Asked {
  json?: unknown;
  body?: Blob;
  patienceMs?: number;
}

async function ask<T>(method: string, path: string, shape: Shape<T>, asked: Asked = {}): Promise<T> {
  const response = await send(method, path, asked);
  const body = await response.text().catch((e: unknown) => {
    throw new Unreachable(String(e));
  });
  // What only changes something may answer with nothing.
  return shape(body === '' ? null : JSON.parse(body), '');
}

async function send(method: string, path: string, asked: Asked, headers: Record<string, string> = {}): Promise<Response> {
  const init: RequestInit = { method, headers };
  if (asked.json !== undefined) {
    init.body = JSON.stringify(asked.json);
    init.headers = { ...headers, 'Content-Type': 'application/json' };
  } else if (asked.body) {
    init.body = asked.body;
    init.headers = { ...headers, 'Content-Type': asked.body.type };
  }
  if (asked.patienceMs) init.signal = AbortSignal.timeout(asked.patienceMs);
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (e) {
    throw new Unreachable(e instanceof Error ? e.message : String(e));
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<Refused> {
  const body = await response.text().catch(() => '');
  try {
    const said = JSON.parse(body) as { error?: unknown; class?: unknown; retry_after_ms?: unknown };
    if (typeof said.error === 'string' && typeof said.class === 'string') {
      const after = typeof said.retry_after_ms === 'number' ? said.retry_after_ms : null;
      return new Refused(said.error, said.class, response.status, after);
    }
  } catch {
    // Forbidden ones are text.
  }
  const kind = [401, 403, 421].includes(response.status) ? 'forbidden' : 'other';
  return new Refused(body || `${response.status} ${response.statusText}`, kind, response.status, null);
}

async function thumbnail(id: string): Promise<{ picture: Blob; trust: t.Trust }> {
  const response = await send('GET', clipPath(id, 'thumbnail'), {});
  const said = response.headers.get('X-Privet-Trust');
  return { trust: t.trust(said ? JSON.parse(said) : null, 'X-Privet-Trust'), picture: await response.blob() };
}

async function whyNoVideo(id: string): Promise<Refused | null> {
  try {
    const response = await send('GET', videoPath(id), {}, { Range: 'bytes=0-0' });
    await response.body?.cancel();
    return null;
  } catch (e) {
    if (e instanceof Refused) return e;
    throw e;
  }
}
