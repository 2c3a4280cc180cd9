// How it looks, everywhere: each page on a phone and a desk, by day and by night, with nothing wrong in the console and nothing that
// axe-core calls serious.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, open, until } from '../browser.mjs';
import { SIZES, browser, clipPage, done, fake, front, shot, violations } from './stage.mjs';

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
  for (const width of [320, 360, 1920]) {
    for (const [name, [url, sign]] of Object.entries(PAGES)) {
      const page = await open(browser, url(), { viewport: { width, height: 800 } });
      await page.waitForSelector(sign);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} at ${width}: ${wide} px too wide`);
      if (width > 320 && ['cameras', 'events'].includes(name)) await shot(page, `${name}-${width}`);
      await done(page);
    }
  }
});

test('welcome on a phone in the dark', async () => {
  Object.assign(fake.home.state, { paired: false, safety_number: null });
  const page = await open(browser, fake.url, { viewport: SIZES[0].viewport, colorScheme: 'dark' });
  await page.getByRole('heading', { name: 'Bring this device into your home' }).waitFor();
  await shot(page, 'welcome-phone-dark');
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
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
