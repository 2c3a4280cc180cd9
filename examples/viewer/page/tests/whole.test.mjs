// The whole system in a browser: a real camera, hub and relay (privet-house), the real server (`privet-viewer serve`), Chromium. What the page alone
// does is tested in page.test.mjs. Screenshots go to target/screens.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { isBlank, launch, live, open, saidMissed, until } from './browser.mjs';
import { readCounter } from './counter.mjs';
import { TARGET } from './fake-server.mjs';
import { House, Viewer } from './house.mjs';

const SCREENS = join(TARGET, 'screens');
const MINUTE = 60_000;

let house;
let viewer;
let browser;
let page;

before(async () => {
  mkdirSync(SCREENS, { recursive: true });
  house = await House.start(['--sound']);
  viewer = await Viewer.start('Desk');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await viewer?.stop();
  await house?.stop();
});

const shot = (name) => page.screenshot({ path: join(SCREENS, `whole-${name}.png`) });
const camera = () => page.evaluate(async () => (await (await fetch('/api/cameras')).json())[0]);
const clips = () => page.evaluate(async () => (await (await fetch('/api/clips')).json()).clips);
const go = (hash) => page.evaluate((to) => void (location.hash = to), hash);

test('a browser pairs with the text of a code, and no secret stays in its address', async () => {
  page = await open(browser, viewer.url);
  assert.equal(new URL(page.url()).search, '');
  const { offer } = await house.tell({ do: 'offer' });
  await page.locator('textarea[name=code]').fill(offer);
  await page.locator('form button').click();
  await shot('offer');
  await page.getByRole('button', { name: /join/i }).click();
  const digits = await until(
    () => page.locator('safety-number li').allInnerTexts(),
    (texts) => texts.join('').replace(/\D/g, '').length >= 60,
    'the safety number',
    MINUTE,
  );
  assert.match(digits.join(''), /\d/);
  await shot('safety-number');
  await page.locator('button.primary').click();
  await page.waitForSelector('camera-tile');
  const { devices } = await house.tell({ do: 'devices' });
  assert.ok(devices.some(({ name }) => name === 'Desk'), JSON.stringify(devices));
});

test('the address lets nobody else in', async () => {
  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  const said = await other.goto(viewer.url);
  assert.equal(said.status(), 403);
  assert.equal((await other.goto(viewer.origin)).status(), 403);
  await stranger.close();
  // A page behind another one watches nothing.
  await page.bringToFront();
});

test('a live picture is the camera’s own, advances, and is at most 250 ms behind it', async () => {
  await until(camera, ({ online }) => online, 'the camera', MINUTE);
  await until(() => live(page), ({ drawn }) => drawn > 20, 'the wall', MINUTE);
  await shot('cameras');
  const { id } = await camera();
  await go(`#/camera/${id}`);
  await until(() => live(page), ({ drawn }) => drawn > 30, 'pictures', MINUTE);

  // When the camera made each picture, by the stamp in its access unit, over a view of this test's own.
  await page.evaluate((camera) => {
    window.madeAt = new Map();
    const socket = new WebSocket(`ws://${location.host}/api/live/${camera}?format=au`);
    socket.binaryType = 'arraybuffer';
    const text = new TextDecoder('latin1');
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') return;
      const stamp = /privet frame=(\d+) us=(\d+)/.exec(text.decode(new Uint8Array(data, 0, Math.min(data.byteLength, 600))));
      if (stamp) window.madeAt.set(Number(stamp[1]), Number(stamp[2]) / 1000);
    };
    window.ownView = socket;
  }, id);
  await page.evaluate(`window.readCounter = ${readCounter}`);
  const seen = await page
    .locator('live-picture canvas')
    .first()
    .evaluate(async (canvas) => {
      const seen = new Map();
      const end = performance.now() + 12_000;
      while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        const number = window.readCounter(canvas);
        if (number !== null && !seen.has(number)) seen.set(number, Date.now());
      }
      return [...seen];
    });
  const madeAt = new Map(await page.evaluate(() => [...window.madeAt]));
  await page.evaluate(() => window.ownView.close());

  assert.ok(seen.length > 100, `${seen.length} pictures in 12 s`);
  const numbers = seen.map(([number]) => number);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'they come in order');
  const lags = seen.filter(([number]) => madeAt.has(number)).map(([number, at]) => at - madeAt.get(number));
  assert.ok(lags.length > 60, `${lags.length} of ${seen.length} pictures have a time`);
  lags.sort((a, b) => a - b);
  const p95 = lags[Math.floor(lags.length * 0.95)];
  console.log(`behind the camera: p50 ${lags[lags.length >> 1].toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, of ${lags.length} pictures`);
  assert.ok(lags[0] > -5, `no picture is shown before it was made: ${lags[0]}`);
  assert.ok(p95 <= 250, `p95 is ${p95} ms`);
  await shot('camera');
});

test('without WebCodecs the browser’s own player shows the camera’s pictures', async () => {
  const { id } = await camera();
  const other = await page.context().newPage();
  await other.addInitScript(() => delete window.VideoDecoder);
  await other.goto(`${viewer.origin}/#/camera/${id}`);
  const first = await until(() => live(other).catch(() => ({})), ({ drawn, path }) => path === 'mse' && drawn > 10, 'pictures', MINUTE);
  await other.evaluate(`window.readCounter = ${readCounter}`);
  const read = () => other.locator('live-picture canvas').first().evaluate((canvas) => window.readCounter(canvas));
  const early = await until(read, (number) => number !== null, 'a number');
  await until(() => live(other), ({ drawn }) => drawn > first.drawn + 30, 'more pictures', MINUTE);
  const late = await until(read, (number) => number !== null, 'a later number');
  assert.ok(late > early, `${late} comes after ${early}`);
  await until(() => live(other), ({ trust }) => trust === 'verified', 'the verdict', MINUTE);
  await other.close();
  await page.bringToFront();
});

test('the camera is heard', async () => {
  const { id } = await camera();
  const other = await page.context().newPage();
  // The player's <video> is in no document.
  await other.addInitScript(() => {
    window.players = [];
    const create = document.createElement.bind(document);
    document.createElement = (name, options) => {
      const made = create(name, options);
      if (name === 'video') window.players.push(made);
      return made;
    };
  });
  await other.goto(`${viewer.origin}/#/camera/${id}`);
  await until(() => live(other).catch(() => ({})), ({ drawn, path }) => path === 'webcodecs' && drawn > 10, 'pictures', MINUTE);
  await other.getByRole('button', { name: 'Listen' }).click();
  const first = await until(() => live(other), ({ drawn, path }) => path === 'mse' && drawn > 10, 'pictures with sound', MINUTE);
  const heard = () => other.evaluate(() => window.players.filter((video) => !video.muted && !video.paused).reduce((sum, video) => sum + video.webkitAudioDecodedByteCount, 0));
  const early = await until(heard, (bytes) => bytes > 0, 'sound', MINUTE);
  await until(heard, (bytes) => bytes > early, 'more sound', MINUTE);
  await until(() => live(other), ({ drawn }) => drawn > first.drawn + 20, 'more pictures', MINUTE);
  await other.getByRole('button', { name: 'Mute' }).click();
  await until(() => live(other), ({ path }) => path === 'webcodecs', 'the way without sound', MINUTE);
  assert.equal(await heard(), 0);
  await other.close();
  await page.bringToFront();
});

test('a camera that is away is said to be, and its pictures come back by themselves', async () => {
  const { id } = await camera();
  await go(`#/camera/${id}`);
  await until(() => live(page), ({ drawn }) => drawn > 10, 'pictures', MINUTE);
  const told = page.getByText('the camera was away');
  assert.deepEqual(await told.allTextContents(), [], 'nobody said so before it was');
  await house.tell({ do: 'camera', on: false });
  await until(camera, ({ online }) => !online, 'that the camera is away', MINUTE);
  const away = page.getByText('The hub gets no pictures from it');
  await away.waitFor({ timeout: MINUTE });
  await shot('away');
  // Long enough to be told as a time without pictures.
  const off = Date.now();
  await until(() => Date.now(), (now) => now > off + 1500, 'a while without pictures', MINUTE);
  await house.tell({ do: 'camera', on: true });
  await away.waitFor({ state: 'detached', timeout: MINUTE });
  const back = await live(page);
  // Whether or not its frame counter went on: the time without pictures is told, in the list and, for a few seconds, over the picture.
  await saidMissed(page, 'the camera was away', MINUTE);
  await until(() => live(page), ({ drawn }) => drawn > back.drawn + 10, 'pictures again', MINUTE);
  await shot('back');
});

test('what happened can be looked at, sought in, and checked', async () => {
  await go('#/events');
  const [clip] = await until(clips, (clips) => clips.some(({ finished, notes }) => finished && notes), 'a clip', 2 * MINUTE).then((clips) =>
    clips.filter(({ finished, notes }) => finished && notes),
  );
  await page.waitForSelector('event-list li', { timeout: MINUTE });
  await shot('events');
  await go(`#/clip/${clip.id}`);
  const video = page.locator('video');
  await until(() => video.evaluate((v) => v.readyState), (ready) => ready >= 2, 'the clip', MINUTE);
  await page.evaluate(`window.readCounter = ${readCounter}`);
  const first = await until(() => video.evaluate((v) => window.readCounter(v)), (number) => number !== null, 'its first picture');
  await video.evaluate((v) => {
    v.muted = true;
    return v.play();
  });
  await until(() => video.evaluate((v) => v.currentTime), (time) => time > 1, 'it plays', MINUTE);
  const length = await video.evaluate((v) => v.duration);
  assert.ok(length > 2 && length < 120, `it is ${length} s long`);
  const to = Math.min(length - 0.5, 3);
  await video.evaluate(
    (v, to) =>
      new Promise((done) => {
        v.pause();
        v.onseeked = done;
        v.currentTime = to;
      }),
    to,
  );
  const later = await until(() => video.evaluate((v) => window.readCounter(v)), (number) => number !== null, 'the picture there');
  assert.ok(later > first, `${later} comes after ${first}`);
  assert.ok(Math.abs(later - first - to * 15) <= 4, `at ${to} s stands picture ${later - first} of 15 a second`);

  await page.getByRole('button', { name: /check/i }).first().click();
  const report = await page.evaluate(async (id) => (await fetch(`/api/clips/${id}/report`)).json(), clip.id);
  assert.ok(report.ok && report.signer_known && report.frames_checked > 10, JSON.stringify(report));
  await page.waitForSelector('check-report');
  await until(() => page.locator('trust-badge').first().getAttribute('data-trust'), (trust) => trust === 'verified', 'the badge');
  await shot('clip');
});

test('what a relay changed is told as broken, and shown to nobody', async () => {
  await house.tell({ do: 'tamper', on: true });
  const { id } = await camera();
  await go(`#/camera/${id}`);
  await until(() => live(page).catch(() => ({})), ({ trust }) => trust === 'broken', 'the verdict', MINUTE);
  assert.equal(await isBlank(page), true);
  await shot('broken');
  const before = new Set((await clips()).map(({ id }) => id));
  const fresh = (clips) => clips.find(({ id, finished }) => finished && !before.has(id));
  const changed = fresh(await until(clips, fresh, 'a clip that was changed on its way', 2 * MINUTE));
  const answer = await page.evaluate(async (id) => {
    const said = await fetch(`/api/clips/${id}/video.mp4`, { headers: { range: 'bytes=0-' } });
    return { status: said.status, body: said.ok ? null : await said.json() };
  }, changed.id);
  assert.equal(answer.status, 422, JSON.stringify(answer));
  assert.equal(answer.body.class, 'not-verified');
  await go(`#/clip/${changed.id}`);
  await page.waitForSelector('.instead.bad', { timeout: MINUTE });
  assert.equal(await page.locator('video').count(), 0);
  await house.tell({ do: 'tamper', on: false });
  await go(`#/camera/${id}`);
  await until(() => live(page).catch(() => ({})), ({ trust, drawn }) => trust !== 'broken' && drawn > 20, 'pictures again', 2 * MINUTE);
});

test('a device that was removed shows that, and no picture', async () => {
  await house.tell({ do: 'remove', name: 'Desk' });
  await page.getByText(/removed from the home/i).first().waitFor({ timeout: MINUTE });
  assert.equal(await page.locator('live-picture canvas, video').count(), 0);
  await shot('removed');
});
