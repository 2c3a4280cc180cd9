// A browser for tests: Debian's Chromium, pages that remember what went wrong in them, and the few words in which live pictures are asked about.
// Also for the test of the whole system, which has a server of its own.

import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';

const PATHS = [process.env.PRIVET_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function launch(options = {}) {
  const executablePath = PATHS.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no browser: apt-get install chromium (Ubuntu: snap install chromium), or say in PRIVET_CHROMIUM where one is');
  const { args = [], ...rest } = options;
  const alone = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...alone, '--autoplay-policy=no-user-gesture-required', ...args], ...rest });
}

/** A page in a context of its own. `page.wrong` are the errors of its console, uncaught ones and violations of its policy. */
export async function open(browser, url, options = {}) {
  const { before, ...context } = options;
  const own = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', ...context });
  own.setDefaultTimeout(10_000);
  const page = await own.newPage();
  page.wrong = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.wrong.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => page.wrong.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  if (before) await page.addInitScript(before);
  await page.goto(url);
  await page.waitForSelector('privet-app[data-ready=true]');
  return page;
}

/** What a live canvas says of itself; of the first one, or the one in `within`. */
export function live(page, within = '') {
  return page
    .locator(`${within} live-picture canvas`)
    .first()
    .evaluate(({ dataset }) => ({ ...dataset, drawn: Number(dataset.drawn), frame: Number(dataset.frame), lag: Number(dataset.lag) }));
}

/** Waits until `ask` gives something that `enough` likes, and gives it. */
export async function until(ask, enough, what, patienceMs = 10_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const got = await ask();
    if (enough(got)) return got;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(got)} after ${patienceMs} ms`);
    await new Promise((done) => setTimeout(done, 60));
  }
}

/** Waits until the list has that pictures were missed, and the newest of the list stands over the picture. */
export async function saidMissed(page, text, patienceMs = 10_000) {
  const listed = page.locator('.missed li');
  await listed.filter({ hasText: text }).first().waitFor({ timeout: patienceMs });
  // The newest may be another one: where the machine just stood still, the page says that it was too slow itself.
  const newest = async () => [(await listed.first().textContent()).trim(), (await page.locator('live-picture .strip').textContent()).trim()];
  await until(newest, ([inList, over]) => over !== '' && inList.endsWith(over), 'the newest of the list is over the picture', patienceMs);
}

/** Whether the canvas shows one colour only. */
export function isBlank(page) {
  return page
    .locator('live-picture canvas')
    .first()
    .evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 4; i < data.length; i += 4 * 97) if (data[i] !== data[0] || data[i + 1] !== data[1]) return false;
      return true;
    });
}
