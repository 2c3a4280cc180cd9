// The page alone, in Chromium, against the fake server: what every page looks like, and that what must not be shown is not. Screenshots go to
// target/screens. The test against the real server, hub, relay and camera is another one.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { isBlank, launch, live, open, until } from './browser.mjs';
import { makeHome } from './fake-home.mjs';
import { FakeServer, TARGET } from './fake-server.mjs';

const SCREENS = join(TARGET, 'screens');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = [
  { name: 'phone', viewport: { width: 390, height: 844 } },
  { name: 'desk', viewport: { width: 1440, height: 900 } },
];

let browser;
let fake;

before(async () => {
  mkdirSync(SCREENS, { recursive: true });
  fake = await FakeServer.start();
  browser = await launch({ args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] });
});

after(async () => {
  await browser?.close();
  await fake?.stop();
});

beforeEach(() => {
  Object.assign(fake, { home: makeHome(), hubAway: false, stranger: false, emptyPictures: 0, asked: [] });
  for (const camera of fake.live.values()) camera.broken = false;
});

// What a test that failed left open must not disturb the next one.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

const front = () => `${fake.url}#/camera/${fake.home.cameras[0].id}`;
const clipPage = (which) => `${fake.url}#/clip/${fake.home.special[which]}`;
const shot = (page, name) => page.screenshot({ path: join(SCREENS, `${name}.png`) });

/** `expected` are console errors that belong to what is tested: Chromium logs every refused request. */
async function done(page, expected = /$^/) {
  assert.deepEqual(
    page.wrong.filter((text) => !expected.test(text)),
    [],
  );
  await page.context().close();
}

/** Serious and critical violations that axe-core finds, through the shadow roots. */
async function violations(page) {
  // Evaluated by the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], iframes: false }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.flat().join(' ')} (${node.any[0]?.message ?? ''})`).join('; ')}`);
}

const PAGES = {
  cameras: [() => `${fake.url}#/cameras`, 'camera-tile'],
  camera: [front, 'ribbon-strip'],
  events: [() => `${fake.url}#/events`, 'event-list li'],
  clip: [() => clipPage('plain'), 'video'],
  'clip-broken': [() => clipPage('broken'), '.instead.bad'],
  devices: [() => `${fake.url}#/devices`, 'safety-number li'],
  settings: [() => `${fake.url}#/settings`, 'camera-wishes'],
  health: [() => `${fake.url}#/health`, 'dl'],
};

for (const { name: size, viewport } of SIZES) {
  for (const colorScheme of ['light', 'dark']) {
    test(`every page: ${size}, ${colorScheme}`, async () => {
      for (const [name, [url, sign]] of Object.entries(PAGES)) {
        const page = await open(browser, url(), { viewport, colorScheme });
        await page.waitForSelector(sign);
        if (name.startsWith('camera')) await until(() => live(page), ({ drawn }) => drawn > 20, `${name} draws`);
        if (name === 'clip') await until(() => page.locator('video').evaluate((v) => v.readyState), (ready) => ready >= 2, 'the clip loads');
        if (name === 'events') await page.waitForSelector('.preview img');
        await shot(page, `${name}-${size}-${colorScheme}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
        assert.deepEqual(await violations(page), [], name);
        assert.match(await page.title(), / – Hedge Lane 7$/);
        await done(page);
      }
    });
  }
}

test('the narrowest phone and the widest desk hold every page', async () => {
  for (const width of [360, 1920]) {
    for (const [name, [url, sign]] of Object.entries(PAGES)) {
      const page = await open(browser, url(), { viewport: { width, height: 800 } });
      await page.waitForSelector(sign);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} at ${width}: ${wide} px too wide`);
      if (['cameras', 'events'].includes(name)) await shot(page, `${name}-${width}`);
      await done(page);
    }
  }
});

test('a live canvas advances and says what it shows, by WebCodecs', async () => {
  const page = await open(browser, front());
  const first = await until(() => live(page), ({ drawn }) => drawn >= 5, 'pictures');
  const later = await until(() => live(page), ({ drawn }) => drawn >= first.drawn + 20, 'more pictures');
  assert.equal(later.path, 'webcodecs');
  assert.ok(later.frame > first.frame);
  assert.ok(later.lag >= 0 && later.lag < 3000, `lag ${later.lag}`);
  assert.ok(['pending', 'verified'].includes(later.trust));
  assert.equal(await isBlank(page), false);
  assert.equal(await page.locator('live-picture .strip').count(), 0, 'nothing was missed at the beginning');
  await done(page);
});

test('without WebCodecs it is Media Source Extensions, with the right frame numbers', async () => {
  const page = await open(browser, front(), { before: () => delete window.VideoDecoder });
  const first = await until(() => live(page), ({ drawn }) => drawn >= 5, 'pictures');
  const later = await until(() => live(page), ({ drawn }) => drawn >= first.drawn + 20, 'more pictures');
  assert.equal(later.path, 'mse');
  assert.ok(later.frame > first.frame);
  assert.ok(later.lag >= 0 && later.lag < 4000, `lag ${later.lag}`);
  assert.equal(await isBlank(page), false);
  await done(page);
});

test('listening switches the way, and back', async () => {
  const page = await open(browser, front());
  await until(() => live(page), ({ drawn }) => drawn >= 5, 'pictures');
  await page.getByRole('button', { name: 'Listen' }).click();
  await until(() => live(page), ({ path, frame }) => path === 'mse' && frame > 0, 'the other way');
  const at = (await live(page)).drawn;
  await until(() => live(page), ({ drawn }) => drawn > at + 10, 'pictures over it');
  await page.getByRole('button', { name: 'Mute' }).click();
  await until(() => live(page), ({ path }) => path === 'webcodecs', 'back');
  await done(page);
});

test('a broken segment takes the picture away until a later one is verified', async () => {
  for (const without of [false, true]) {
    const page = await open(browser, front(), without ? { before: () => delete window.VideoDecoder } : {});
    await until(() => live(page), ({ drawn }) => drawn >= 10, 'pictures');
    const camera = fake.live.get(fake.home.cameras[0].id);
    camera.broken = true;
    await until(() => live(page), ({ trust }) => trust === 'broken', 'the verdict');
    assert.equal(await isBlank(page), true);
    const { drawn } = await live(page);
    await page.waitForTimeout(1500);
    assert.equal((await live(page)).drawn, drawn, 'nothing is drawn while it is broken');
    assert.equal(await isBlank(page), true);
    await page.getByText('Broken: not shown').waitFor();
    await page.getByText('the hash of frame 7 is not the signed one').first().waitFor();
    assert.equal(await page.locator('trust-badge').first().getAttribute('data-trust'), 'broken');
    assert.equal(await page.getByRole('button', { name: 'Picture' }).isDisabled(), true, 'no picture of it to keep');
    if (!without) await shot(page, 'live-broken');
    camera.broken = false;
    await until(() => live(page), (now) => now.drawn > drawn + 5 && now.trust !== 'broken', 'pictures again');
    assert.equal(await isBlank(page), false);
    await done(page);
  }
});

test('what was not seen is said over the picture and kept in a list', async () => {
  const page = await open(browser, front());
  await until(() => live(page), ({ drawn }) => drawn >= 10, 'pictures');
  fake.live.get(fake.home.cameras[0].id).gap('network_loss');
  const strip = page.locator('live-picture .strip');
  await strip.waitFor();
  assert.match(await strip.textContent(), /Missed \d+ pictures: network/);
  await page.waitForTimeout(1200);
  await shot(page, 'live-gap');
  const { drawn } = await live(page);
  await until(() => live(page), (now) => now.drawn > drawn + 10, 'it goes on');
  assert.match(await page.locator('.missed').textContent(), /network/);
  await done(page);
});

test('a view that ends says why and begins again', async () => {
  const page = await open(browser, front());
  await until(() => live(page), ({ drawn }) => drawn >= 10, 'pictures');
  fake.live.get(fake.home.cameras[0].id).end('the hub stopped');
  await page.getByText('the hub stopped').waitFor();
  const { drawn } = await live(page);
  await until(() => live(page), (now) => now.drawn > drawn + 10, 'it begins again');
  await done(page);
});

test('only what is on the screen streams', async () => {
  const page = await open(browser, `${fake.url}#/cameras`, { viewport: { width: 390, height: 500 } });
  const [first, , third] = [...fake.live.values()];
  await until(() => first.views.size, (n) => n === 1, 'the first streams');
  assert.equal(third.views.size, 0);
  await page.locator('camera-tile').nth(2).scrollIntoViewIfNeeded();
  await until(() => third.views.size, (n) => n === 1, 'the third streams');
  await until(() => first.views.size, (n) => n === 0, 'the first does not any more');
  await page.goto(`${fake.url}#/health`);
  await until(() => third.views.size, (n) => n === 0, 'none streams on another page');
  await done(page);
});

test('a picture is saved under a name that says what is known of it', async () => {
  const page = await open(browser, front());
  await until(() => live(page), ({ drawn }) => drawn >= 10, 'pictures');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Picture' }).click()]);
  assert.match(download.suggestedFilename(), /^Front door \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png$/);
  await page.getByText('its segment is verified').waitFor();
  await done(page);
});

test('the trust of a live picture is explained', async () => {
  const page = await open(browser, front());
  await until(() => live(page), ({ drawn }) => drawn >= 30, 'pictures and a verdict');
  await page.locator('.head trust-badge button').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The check is under way').waitFor();
  assert.match(await dialog.textContent(), /Frames \d+ to \d+: verified/);
  await shot(page, 'trust-dialog');
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await done(page);
});

test('the timeline is gone through with the keys, and Enter plays', async () => {
  const page = await open(browser, `${fake.url}#/events`);
  const strip = page.getByRole('slider');
  await page.waitForSelector('.preview h2');
  await strip.focus();
  const said = () => strip.getAttribute('aria-valuetext');
  const at = await said();
  await page.keyboard.press('ArrowLeft');
  const before = await until(said, (text) => text !== at, 'the older one');
  await page.keyboard.press('ArrowRight');
  assert.equal(await until(said, (text) => text !== before, 'back'), at);
  await page.keyboard.press('Home');
  const first = await until(said, (text) => text !== at, 'the first one');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await said(), first);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('.preview clip-picture canvas');
  await shot(page, 'events-keys');
  await page.keyboard.press('Enter');
  await page.waitForURL(/#\/clip\//);
  await page.getByRole('button', { name: '7 days' }).waitFor({ state: 'detached' });
  await done(page);
});

test('the timeline is pointed at and dragged over', async () => {
  const page = await open(browser, `${fake.url}#/events`);
  await page.waitForSelector('.preview h2');
  await page.getByRole('button', { name: '7 days' }).click();
  await until(() => page.getByRole('slider').getAttribute('aria-valuemax'), (n) => Number(n) > 100, 'a week of clips');
  const box = await page.getByRole('slider').boundingBox();
  const seen = new Set();
  await page.mouse.move(box.x + 40, box.y + 60);
  await page.mouse.down();
  for (let x = 40; x < box.width - 20; x += 40) {
    await page.mouse.move(box.x + x, box.y + 60);
    seen.add(await page.getByRole('slider').getAttribute('aria-valuetext'));
  }
  await page.mouse.up();
  assert.ok(seen.size > 8, `${seen.size} clips`);
  await page.waitForTimeout(300);
  await shot(page, 'events-week');
  await done(page);
});

test('a clip is checked, kept, and shows where it moved', async () => {
  const page = await open(browser, clipPage('partial'));
  await page.getByText('from before this phone joined').waitFor();
  await page.getByRole('button', { name: 'Where it moved' }).click();
  await page.waitForSelector('.stage canvas');
  await page.getByRole('button', { name: 'Check every byte' }).click();
  await page.getByText('Everything holds').waitFor();
  await page.getByText('372 pictures in 6 segments were compared').waitFor();
  await until(() => page.locator('.head trust-badge').getAttribute('data-trust'), (trust) => trust === 'verified', 'the badge');
  await page.getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('button', { name: 'Kept' }).waitFor();
  await page.locator('.peak').click();
  await until(() => page.locator('video').evaluate((v) => v.currentTime), (t) => t > 2, 'the peak');
  await shot(page, 'clip-checked');
  await done(page);
});

test('a film that does not verify is shown as broken, without a picture', async () => {
  const id = fake.home.special.plain;
  const page = await open(browser, `${fake.url}#/events`);
  await page.waitForSelector('.preview h2');
  // It was not known to be broken when it was listed: the list still says pending when the film is refused.
  const refuse = (route) => route.fulfill({ status: 422, contentType: 'application/json', body: JSON.stringify({ error: 'segment 1: its signature is not the camera’s', class: 'not-verified' }) });
  await page.route('**/video.mp4', refuse);
  await page.goto(`${fake.url}#/clip/${id}`);
  await page.getByText('segment 1: its signature is not the camera’s').waitFor();
  assert.equal(await page.locator('video').count(), 0);
  assert.equal(await page.locator('.head trust-badge').getAttribute('data-trust'), 'broken');
  await done(page, /422/);
});

test('pairing: text, picture, camera; then the safety number', async () => {
  Object.assign(fake.home.state, { paired: false, safety_number: null, hub_name: '' });
  fake.home.cameras = [];
  const page = await open(browser, fake.url);
  await page.getByRole('heading', { name: 'Bring this device into your home' }).waitFor();
  await shot(page, 'welcome');
  assert.deepEqual(await violations(page), []);
  await page.getByRole('textbox').fill('nonsense');
  await page.getByRole('button', { name: 'Read the code' }).click();
  await page.getByText('it begins with PRIVET1:').last().waitFor();
  await page.locator('input[type=file]').setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: Buffer.alloc(200) });
  await page.getByText('relay.example.org:4433').waitFor();
  await page.getByText(/Good for another 9:\d\d/).waitFor();
  await shot(page, 'welcome-offer');
  await page.getByRole('button', { name: 'Another code' }).click();
  fake.emptyPictures = 2;
  await page.getByRole('button', { name: 'Turn the camera on' }).click();
  await page.getByText('relay.example.org:4433').waitFor();
  assert.ok(fake.asked.filter((one) => one === 'POST /api/offer/picture').length >= 4);
  await page.getByRole('button', { name: 'Join this home' }).click();
  await page.getByText('You are in').waitFor();
  assert.equal(await page.locator('safety-number li').count(), 12);
  assert.deepEqual(await violations(page), []);
  await shot(page, 'welcome-compare');
  fake.home.cameras = makeHome().cameras;
  await page.getByRole('button', { name: 'They are the same' }).click();
  await page.waitForSelector('camera-tile');
  await done(page, /400/);
});

test('welcome on a phone in the dark', async () => {
  Object.assign(fake.home.state, { paired: false, safety_number: null });
  const page = await open(browser, fake.url, { viewport: SIZES[0].viewport, colorScheme: 'dark' });
  await page.getByRole('heading', { name: 'Bring this device into your home' }).waitFor();
  await shot(page, 'welcome-phone-dark');
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
  await done(page);
});

test('removed: one word, no pictures', async () => {
  const page = await open(browser, `${fake.url}#/cameras`);
  await until(() => live(page), ({ drawn }) => drawn >= 5, 'pictures');
  fake.remove();
  await page.getByText('This device was removed from the home').waitFor();
  assert.equal(await page.locator('canvas, video, img').count(), 0);
  await until(() => [...fake.live.values()].reduce((n, camera) => n + camera.views.size, 0), (n) => n === 0, 'no view is open');
  await shot(page, 'removed');
  assert.deepEqual(await violations(page), []);
  await done(page);
});

test('the server goes and comes back', async () => {
  const page = await open(browser, `${fake.url}#/cameras`);
  await page.waitForSelector('camera-tile');
  await fake.stop();
  await page.getByText('Nothing answers any more').waitFor();
  assert.equal(await page.locator('canvas, video, img').count(), 0);
  await shot(page, 'lost');
  assert.deepEqual(await violations(page), []);
  await fake.again();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForSelector('camera-tile');
  await done(page, /ERR_CONNECTION|WebSocket|ERR_EMPTY/);
});

test('a browser that is not let in is told what to do', async () => {
  const page = await open(browser, `${fake.url}#/cameras`);
  await page.waitForSelector('camera-tile');
  fake.stranger = true;
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.getByText('This browser is not let in').waitFor();
  await page.getByText('no session').waitFor();
  await done(page, /403|WebSocket/);
});

test('an alert stays until it was looked at', async () => {
  fake.home.state.alerts = [
    { at_ms: Date.now() - 60_000, what: 'the relay replayed message 41 of the hub' },
    { at_ms: Date.now() - 5000, what: 'no sign of the hub for 95 s although the relay is connected: the hub is down, or the relay withholds its messages' },
  ];
  Object.assign(fake.home.state, { link: 'offline', link_reason: 'relay.example.org:4433 does not answer', caught_up: false, outbox: 2 });
  const page = await open(browser, `${fake.url}#/cameras`);
  const banner = page.getByRole('alert').filter({ hasText: '2 things could not be trusted' });
  await banner.waitFor();
  await shot(page, 'alert-banner');
  await page.reload();
  await banner.waitFor();
  await banner.getByRole('link', { name: 'Look at it' }).click();
  await page.getByText('the relay replayed message 41').waitFor();
  const [first] = await page.locator('page-health li p').allTextContents();
  assert.match(first, /no sign of the hub/);
  await shot(page, 'health-alerts');
  assert.deepEqual(await violations(page), []);
  await page.goto(`${fake.url}#/cameras`);
  await page.waitForSelector('camera-tile');
  assert.equal(await banner.count(), 0);
  await done(page);
});

test('settings are saved; without the hub they are pending, which is no error', async () => {
  const page = await open(browser, `${fake.url}#/settings`);
  await page.waitForSelector('camera-wishes');
  await page.getByRole('button', { name: 'Sat' }).click();
  await page.getByLabel('Tell of motion only while nobody is at home').click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('The hub keeps these settings').waitFor();
  assert.equal(fake.home.settings.kept.quiet[0].days, 0b011_1111);
  assert.equal(fake.home.settings.kept.away_only, true);
  assert.equal(fake.home.settings.kept.profile, 'home');
  fake.hubAway = true;
  await page.getByRole('button', { name: 'Sun' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('[data-pending]').waitFor();
  await page.getByText('kept here, sent when it is back').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Sun' }).getAttribute('aria-pressed'), 'true');
  await shot(page, 'settings-pending');
  await page.locator('camera-wishes').first().getByRole('button', { name: 'Snooze' }).click();
  await page.getByRole('button', { name: '8 hours' }).first().click();
  await page.getByRole('button', { name: /Snoozed until/ }).first().waitFor();
  assert.ok(fake.home.settings.pending.cameras[0].snooze_until_ms > Date.now() + 7 * 3_600_000);
  await done(page, /503/);
});

test('devices are renamed, and removed in two steps', async () => {
  const page = await open(browser, `${fake.url}#/devices`);
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByLabel('Name of this device').fill('Study');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: /Study/ }).waitFor();
  await page.getByRole('button', { name: 'Remove' }).last().click();
  assert.equal(fake.home.devices.length, 3, 'not yet');
  await shot(page, 'devices-sure');
  await page.getByRole('button', { name: 'Yes, remove it' }).click();
  await page.getByText('“Old tablet” was removed').waitFor();
  assert.equal(fake.home.devices.length, 2);
  await done(page);
});

test('a notification is a toast, and the system’s while nobody looks', async () => {
  const told = () => {
    window.told = [];
    window.Notification = class {
      static permission = 'granted';
      constructor(title, options) {
        window.told.push([title, options.body, options.tag]);
      }
    };
  };
  const page = await open(browser, `${fake.url}#/health`, { before: told });
  await page.waitForTimeout(200);
  const notification = { event_id: 'e9', title: 'Front door: motion', body: 'in path', severity: 'info', camera_id: null, clip_id: fake.home.clips[1].id, at_ms: Date.now(), stale: false };
  fake.tell({ type: 'notification', notification });
  await page.locator('toast-list').getByText('Front door: motion').waitFor();
  await shot(page, 'toast');
  assert.deepEqual(await page.evaluate(() => window.told), []);
  await page.evaluate(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden' }));
  fake.tell({ type: 'notification', notification: { ...notification, event_id: 'e10', stale: true } });
  fake.tell({ type: 'notification', notification: { ...notification, event_id: 'e11' } });
  await until(() => page.evaluate(() => window.told), (all) => all.length > 0, 'told');
  assert.deepEqual(await page.evaluate(() => window.told), [['Front door: motion', 'in path', 'e11']]);
  await done(page);
});

test('the theme is chosen and kept; what moves is still where that is asked for', async () => {
  const page = await open(browser, `${fake.url}#/health`, { colorScheme: 'light', reducedMotion: 'reduce' });
  await page.getByRole('button', { name: 'Go dark' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Go light' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  const moving = await page.evaluate(() => matchMedia('(prefers-reduced-motion: reduce)').matches);
  assert.equal(moving, true);
  await done(page);
});

test('the keyboard reaches everything on the wall, visibly', async () => {
  const page = await open(browser, `${fake.url}#/cameras`);
  await page.waitForSelector('camera-tile');
  await page.keyboard.press('Tab');
  const name = () =>
    page.evaluate(() => {
      let at = document.activeElement;
      while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
      return at?.getAttribute('aria-label') ?? at?.textContent.trim() ?? '';
    });
  assert.equal(await name(), 'Skip to content');
  const seen = [];
  for (let i = 0; i < 20; i += 1) {
    await page.keyboard.press('Tab');
    seen.push(await name());
  }
  for (const wanted of ['Cameras', 'Events', 'Devices', 'Settings', 'Health', 'Open Front door', 'Open Garage']) assert.ok(seen.includes(wanted), `${wanted} in ${seen}`);
  await page.keyboard.press('Shift+Tab');
  await done(page);
});
