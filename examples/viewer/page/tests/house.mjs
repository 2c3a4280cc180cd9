// A house of real programs (privet-house) and a real viewer, for the test of the whole system. The lines: docs/design/0020-phone-bindings.md.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A program that `./dev` built. */
function program(name) {
  const folder = process.env.PRIVET_PROGRAMS;
  const path = folder && join(folder, name);
  if (!path || !existsSync(path)) throw new Error(`${name} is not in PRIVET_PROGRAMS (${folder ?? 'not set'}): run this as ./dev test browser`);
  return path;
}

/** A process whose lines of JSON are read one after the other. */
class Talker {
  constructor(name, words) {
    this.name = name;
    this.process = spawn(program(name), words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((done) => this.process.once('exit', done));
  }

  /** The next line, within a minute. */
  async line() {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`${this.name} said nothing for a minute`)), 60_000);
    });
    try {
      const { value, done } = await Promise.race([this.lines.next(), late]);
      if (done) throw new Error(`${this.name} ended`);
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }

  async end() {
    this.process.stdin.end();
    this.process.kill('SIGTERM');
    await this.ended;
  }
}

export class House {
  static async start(words = []) {
    const house = new House();
    house.talker = new Talker('privet-house', words);
    const ready = await house.talker.line();
    if (!ready.ready) throw new Error(`the house is not ready: ${JSON.stringify(ready)}`);
    house.cameras = ready.cameras;
    return house;
  }

  /** Has it done, and gives its answer. */
  async tell(wish) {
    this.talker.process.stdin.write(`${JSON.stringify(wish)}\n`);
    const answer = await this.talker.line();
    if (answer.error) throw new Error(`${JSON.stringify(wish)}: ${answer.error}`);
    return answer;
  }

  stop() {
    return this.talker.end();
  }
}

/** `privet-viewer serve` with a home folder that goes with it. */
export class Viewer {
  static async start(name) {
    const viewer = new Viewer();
    viewer.home = mkdtempSync(join(tmpdir(), 'privet-viewer-'));
    viewer.talker = new Talker('privet-viewer', ['--home', viewer.home, '--json', 'serve', '--name', name]);
    const { url } = await viewer.talker.line();
    viewer.url = url;
    viewer.origin = new URL(url).origin;
    return viewer;
  }

  async stop() {
    await this.talker.end();
    rmSync(this.home, { recursive: true, force: true });
  }
}
