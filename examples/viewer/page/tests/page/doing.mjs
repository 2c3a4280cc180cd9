// What people do: look through events, check a clip, pair, change settings; and the states in which nothing is to be seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, open, until } from '../browser.mjs';
import { makeHome } from '../fake-home.mjs';
import { browser, clipPage, done, fake, shot, violations } from './stage.mjs';

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

test('a check names each time without pictures, and why', async () => {
  const page = await open(browser, clipPage('partial'));
  await page.getByRole('button', { name: 'Check every byte' }).click();
  await page.getByText(/No pictures from .* to .*, as the hub says: the camera was out of reach/).waitFor();
  await page.getByText(/Begins with segment 2/).waitFor();
  assert.equal(await page.getByText('No outages are declared').count(), 0);
  await shot(page, 'clip-outage');
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

test('a film that the browser has no codec for can still be checked', async () => {
  // Asked for a second time, by the page itself, it is what it was: nothing is wrong with it but for this browser.
  const page = await open(browser, `${fake.url}#/events`);
  await page.route('**/video.mp4', (route) => route.fulfill({ status: 200, contentType: 'video/mp4', body: Buffer.alloc(4096, 7) }));
  await page.goto(clipPage('plain'));
  await page.getByText('This browser cannot play this kind of video').first().waitFor();
  await page.getByRole('button', { name: 'Check every byte' }).click();
  await page.getByText('Everything holds').waitFor();
  await done(page);
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

test('removed: one word, no pictures', async () => {
  const page = await open(browser, `${fake.url}#/cameras`);
  await until(() => live(page), ({ drawn }) => drawn >= 5, 'pictures');
  await until(() => fake.listening, (pages) => pages === 1, 'the page listens');
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
  for (const [old, name] of [['Laptop in the kitchen', 'Study'], ['Ann’s phone', 'Ann’s new phone']]) {
    await page.getByRole('button', { name: `Rename “${old}”` }).click();
    await page.getByLabel(`New name of “${old}”`).fill(name);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name }).waitFor();
  }
  assert.deepEqual(fake.home.devices.map((device) => device.name), ['Study', 'Ann’s new phone', 'Old tablet']);
  assert.equal(await page.getByRole('button', { name: 'Remove “Study”' }).count(), 0, 'this device is removed elsewhere');
  await page.getByRole('button', { name: 'Remove “Old tablet”' }).click();
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
  await until(() => fake.listening, (pages) => pages === 1, 'the page listens');
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
