// What the tests of the page share: one browser and one fake server, put back to the beginning before each test, and what is asked of every
// page at its end.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';

import { launch } from '../browser.mjs';
import { makeHome } from '../fake-home.mjs';
import { FakeServer, TARGET } from '../fake-server.mjs';

const SCREENS = join(TARGET, 'screens');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const SIZES = [
  { name: 'phone', viewport: { width: 390, height: 844 } },
  { name: 'desk', viewport: { width: 1440, height: 900 } },
];

export let browser;
export let fake;

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
  for (const camera of fake.live.values()) Object.assign(camera, { broken: false, codec: null });
});

// What a test that failed left open must not disturb the next one.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

export const front = () => `${fake.url}#/camera/${fake.home.cameras[0].id}`;
export const clipPage = (which) => `${fake.url}#/clip/${fake.home.special[which]}`;
export const shot = (page, name) => page.screenshot({ path: join(SCREENS, `${name}.png`) });

/** `expected` are console errors that belong to what is tested: Chromium logs every refused request. */
export async function done(page, expected = /$^/) {
  assert.deepEqual(
    page.wrong.filter((text) => !expected.test(text)),
    [],
  );
  await page.context().close();
}

/** Serious and critical violations that axe-core finds, through the shadow roots. */
export async function violations(page) {
  // Evaluated by the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], iframes: false }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.flat().join(' ')} (${node.any[0]?.message ?? ''})`).join('; ')}`);
}
