// A server that speaks the page's contract (docs/design/0019-viewer-page.md) with invented data, for tests of the page alone and for working on
// it: `npm run fake` serves dist/ at http://127.0.0.1:8090. It checks no cookie: who may ask is the real server's matter and tested there.

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { WebSocketServer } from 'ws';

import { makeFilm } from './fake-film.mjs';
import { CAMERAS, makeHome, makeReport } from './fake-home.mjs';
import { FakeCamera } from './fake-live.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, '../dist');
export const TARGET = join(HERE, '../../../../target');

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

class No extends Error {
  constructor(status, kind, message) {
    super(message);
    Object.assign(this, { status, kind });
  }
}

export class FakeServer {
  home = makeHome();
  /** The hub does not answer: what waits for it is pending. */
  hubAway = false;
  /** Everything is forbidden, as to a browser without the cookie. */
  stranger = false;
  /** So many pictures have no code in them. */
  emptyPictures = 0;
  asked = [];
  #happenings = new Set();
  #sockets = new Set();

  static async start({ port = 0, folder = join(TARGET, 'page-films') } = {}) {
    const fake = new FakeServer();
    const films = await Promise.all([0, 1, 2].map((n) => makeFilm(folder, n, { sound: n === 0 })));
    fake.films = films;
    // The clock of the films began a while ago, at a whole second.
    const started = Math.floor(Date.now() / 1000) * 1000 - 60_000;
    fake.live = new Map(CAMERAS.map((camera, i) => [camera.id, Object.assign(new FakeCamera(camera.id, films[i % films.length], started), { signer: camera.signer })]));
    const ws = new WebSocketServer({ noServer: true });
    fake.http = createServer((request, response) => void fake.#answer(request, response));
    fake.http.on('upgrade', (request, socket, head) => {
      if (fake.stranger) return socket.destroy();
      ws.handleUpgrade(request, socket, head, (opened) => fake.#opened(opened, new URL(request.url, 'http://x')));
    });
    fake.http.on('connection', (socket) => {
      fake.#sockets.add(socket);
      socket.on('close', () => fake.#sockets.delete(socket));
    });
    await new Promise((done) => fake.http.listen(port, '127.0.0.1', done));
    fake.port = fake.http.address().port;
    fake.url = `http://127.0.0.1:${fake.port}/`;
    return fake;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.http.close(done));
  }

  /** Begins again at the same port. */
  async again() {
    await new Promise((done) => this.http.listen(this.port, '127.0.0.1', done));
  }

  /** How many pages hear what is told. */
  get listening() {
    return this.#happenings.size;
  }

  tell(happening) {
    for (const socket of this.#happenings) socket.send(JSON.stringify(happening));
  }

  remove() {
    Object.assign(this.home.state, { removed: true, safety_number: null });
    this.home.cameras = [];
    this.tell({ type: 'removed' });
  }

  #opened(socket, url) {
    if (url.pathname === '/api/happenings') {
      this.#happenings.add(socket);
      socket.on('close', () => this.#happenings.delete(socket));
      return;
    }
    const live = this.live.get(url.pathname.replace('/api/live/', ''));
    if (live) live.open(socket, url.searchParams.get('format'));
    else socket.close();
  }

  async #answer(request, response) {
    const url = new URL(request.url, 'http://x');
    const body = [];
    for await (const chunk of request) body.push(chunk);
    this.asked.push(`${request.method} ${url.pathname}`);
    const send = (status, headers, content) => response.writeHead(status, { ...HEADERS, ...headers }).end(content);
    try {
      if (this.stranger) return send(403, { 'Content-Type': 'text/plain' }, 'no session: open the address that privet-viewer serve printed');
      if (!url.pathname.startsWith('/api/')) return this.#file(url.pathname, response);
      const bytes = Buffer.concat(body);
      const json = request.headers['content-type'] === 'application/json' ? JSON.parse(bytes.toString()) : null;
      const out = await this.#api(`${request.method} ${url.pathname}`, url.searchParams, json, bytes, request);
      if (out instanceof Function) return out(send);
      return send(200, { 'Content-Type': 'application/json' }, JSON.stringify(out ?? null));
    } catch (e) {
      if (!(e instanceof No)) console.error(e);
      send(e.status ?? 500, { 'Content-Type': 'application/json' }, JSON.stringify({ error: e.message, class: e.kind ?? 'other' }));
    }
  }

  #file(path, response) {
    const file = join(DIST, path === '/' ? 'index.html' : normalize(path));
    if (!file.startsWith(DIST) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404, HEADERS).end();
    response.writeHead(200, { ...HEADERS, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
    return createReadStream(file).pipe(response);
  }

  async #api(what, query, json, bytes, request) {
    const { home } = this;
    const id = what.split('/')[3];
    switch (what) {
      case 'GET /api/state':
        return { ...home.state, hub_seen_ms: home.state.hub_seen_ms && Date.now() - 1200 };
      case 'GET /api/cameras':
        return home.cameras;
      case 'GET /api/devices':
        return home.devices;
      case 'GET /api/events':
        return this.#page('events', home.events, query, 'at_ms');
      case 'GET /api/clips':
        return this.#page('clips', home.clips, query, 'start_ms');
      case 'GET /api/settings':
        return home.settings;
      case 'PUT /api/settings':
        return this.#wish((kept) => ({ ...json, profile: json.profile ?? kept.profile }));
      case 'POST /api/profile':
        return this.#wish((kept) => ({ ...kept, profile: json.profile }));
      case 'POST /api/snooze':
        return this.#wish((kept) => ({ ...kept, cameras: kept.cameras.map((one) => (json.camera_id === null || one.camera_id === json.camera_id ? { ...one, snooze_until_ms: json.until_ms } : one)) }));
      case 'POST /api/offer':
        if (!json.code.startsWith('PRIVET1:')) throw new No(400, 'pairing', 'this is no code of a hub: it begins with PRIVET1:');
        return this.#offer();
      case 'POST /api/offer/picture':
        if (this.emptyPictures > 0 || bytes.length < 100) {
          this.emptyPictures -= 1;
          throw new No(400, 'pairing', 'no QR code in this picture');
        }
        return { code: 'PRIVET1:FAKE', ...this.#offer() };
      case 'POST /api/pair':
        await new Promise((done) => setTimeout(done, 300));
        Object.assign(home.state, makeHome().state);
        return { safety_number: home.state.safety_number };
      default:
    }
    if (what === `POST /api/devices/${id}/remove`) {
      if (this.hubAway) throw new No(503, 'offline', 'timed out waiting for the hub to remove the device: the relay is out of reach; kept here, sent when it is back');
      await new Promise((done) => setTimeout(done, 200));
      home.devices = home.devices.filter((device) => device.id !== id);
      return null;
    }
    if (what === `POST /api/devices/${id}/rename`) {
      const device = home.devices.find((one) => one.id === id);
      device.name = json.name;
      if (device.this_device) home.state.device_name = json.name;
      return null;
    }
    const clip = home.clips.find((one) => one.id === id);
    if (!what.includes('/api/clips/') || !clip) throw new No(404, 'not-found', `there is no ${what.split(' ')[1]}`);
    return this.#clip(what.split('/')[4], clip, json, request);
  }

  #clip(what, clip, json, request) {
    const camera = CAMERAS.findIndex((one) => one.id === clip.camera_id);
    const film = this.films[camera % this.films.length];
    const broken = clip.trust.state === 'broken';
    switch (what) {
      case undefined:
        return clip;
      case 'thumbnail':
        if (!clip.notes?.thumbnail) throw new No(404, 'not-found', 'there is no picture of this clip');
        return (send) => send(200, { 'Content-Type': 'image/jpeg', 'X-Privet-Trust': JSON.stringify({ state: 'pending' }) }, film.thumbnail);
      case 'video.mp4':
      case 'export.mp4':
        if (broken) throw new No(422, 'not-verified', clip.trust.why);
        return (send) => ranged(send, film.clip, request.headers.range);
      case 'report':
        if (broken) throw new No(422, 'not-verified', clip.trust.why);
        clip.trust = { state: 'verified', signer: CAMERAS[camera].signer, lease_until_ms: null };
        clip.local = true;
        return makeReport(clip, CAMERAS[camera]);
      case 'pin':
        clip.notes.pinned = json.pinned;
        return null;
      default:
        throw new No(404, 'not-found', 'there is no such thing');
    }
  }

  #page(name, all, query, time) {
    const { from, to, camera, page, limit } = Object.fromEntries(query);
    const chosen = all.filter((one) => (!camera || one.camera_id === camera) && (!from || one[time] >= Number(from)) && (!to || one[time] < Number(to)));
    const start = Number(page ?? 0);
    const end = start + Number(limit ?? 50);
    return { [name]: chosen.slice(start, end), next: end < chosen.length ? String(end) : null };
  }

  async #wish(change) {
    const { settings } = this.home;
    const wanted = change(settings.pending ?? settings.kept);
    if (this.hubAway) {
      settings.pending = wanted;
      throw new No(503, 'offline', 'timed out waiting for the hub to confirm the settings: the relay is out of reach; kept here, sent when it is back');
    }
    await new Promise((done) => setTimeout(done, 120));
    Object.assign(settings, { kept: wanted, pending: null });
    this.tell({ type: 'wishes_changed' });
    return null;
  }

  #offer() {
    return { relay: 'relay.example.org:4433', hub_fingerprint: '7c9e6679f4250a3d1b8e5c2704fd9ab3617ce08d94b25a1fe36d80c7512b4f9a', expires_ms: Date.now() + 9.5 * 60_000 };
  }
}

function ranged(send, bytes, range) {
  const headers = { 'Content-Type': 'video/mp4', 'Accept-Ranges': 'bytes' };
  const parts = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!parts) return send(200, headers, bytes);
  const from = Number(parts[1]);
  const to = Math.min(parts[2] ? Number(parts[2]) : Infinity, bytes.length - 1);
  return send(206, { ...headers, 'Content-Range': `bytes ${from}-${to}/${bytes.length}` }, bytes.subarray(from, to + 1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await FakeServer.start({ port: Number(process.env.PORT ?? 8090) });
  console.log(fake.url);
}
