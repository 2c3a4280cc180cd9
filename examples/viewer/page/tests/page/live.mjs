// Live pictures: that they come both ways, and that what must not be shown is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isBlank, live, open, saidMissed, until } from '../browser.mjs';
import { browser, done, fake, front, shot, violations } from './stage.mjs';

/** The stream whose verdict covers the newest picture that one says to cover, after `frame`: none while that is not known to hold. */
const verdictOfNewest = (page, frame = 0) =>
  page.locator('live-picture').evaluate(({ view }, frame) => {
    const last = view?.verdicts.last;
    return last && last.first > frame ? (view.verdicts.of(last.first)?.stream ?? null) : null;
  }, frame);

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

test('a camera that no way can show says what it sends', async () => {
  // H.265 with a profile that nobody has.
  const codec = 'hvc1.31.6.L186.B0';
  fake.live.get(fake.home.cameras[0].id).codec = codec;
  const page = await open(browser, front());
  await page.getByText('This browser cannot play this camera').waitFor();
  await page.getByText(`It sends ${codec}`).waitFor();
  assert.equal(await page.locator('live-picture canvas').evaluateAll((all) => all.some(({ dataset }) => dataset.drawn > 0)), false);
  assert.deepEqual(await violations(page), []);
  await shot(page, 'live-unplayable');
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
  const left = fake.live.get(fake.home.cameras[0].id).gap('network_loss');
  const told = `Missed ${left} pictures: network`;
  await saidMissed(page, told);
  await page.waitForTimeout(1200);
  await shot(page, 'live-gap');
  const { drawn } = await live(page);
  await until(() => live(page), (now) => now.drawn > drawn + 10, 'it goes on');
  await page.locator('.missed li', { hasText: told }).waitFor();
  await done(page);
});

test('another stream of the hub is nothing that was missed, and has verdicts of its own', async () => {
  const page = await open(browser, front());
  const camera = fake.live.get(fake.home.cameras[0].id);
  let stream = await until(() => verdictOfNewest(page), (stream) => stream !== null, 'a verdict');
  // Every picture that is drawn, with the stream whose verdict it is shown under.
  await page.locator('live-picture').evaluate(({ view }) => {
    window.painted = [];
    view.addEventListener('picture', () => window.painted.push([view.shown.frame, view.verdicts.of(view.shown.frame)?.stream ?? null]));
  });
  let again = [];
  // A browser that stood still just then draws none of those that come again.
  for (let tries = 0; again.length === 0 && tries < 5; tries += 1) {
    const before = stream;
    await page.evaluate(() => void (window.painted = []));
    camera.anew();
    stream = await until(() => verdictOfNewest(page), (stream) => stream !== null && stream !== before, 'a verdict of the other stream');
    const painted = await page.evaluate(() => window.painted);
    const first = painted.findIndex(([frame], at) => at > 0 && frame < painted[at - 1][0]);
    again = first < 0 ? [] : painted.slice(first);
    assert.ok(!again.some(([, stream]) => stream === before), `none under its old verdict: ${JSON.stringify(painted)}`);
  }
  assert.ok(again.length > 0, 'pictures were shown again');
  assert.equal(await page.getByText('the hub began another stream').count(), 0);
  await done(page);
});

test('the camera’s smaller pictures are verified as its others are', async () => {
  const page = await open(browser, front());
  const camera = fake.live.get(fake.home.cameras[0].id);
  await until(() => verdictOfNewest(page), (stream) => stream !== null, 'a verdict');
  for (const substream of [true, false]) {
    camera.changeOver(substream);
    await until(() => page.getByText('Smaller picture: the link is slow').count(), (n) => n === Number(substream), 'the change');
    const { frame } = await live(page);
    await until(() => verdictOfNewest(page, frame), (stream) => stream !== null, 'a verdict of those pictures');
  }
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
