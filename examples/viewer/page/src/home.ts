// What the page knows of the home: one object that everything is drawn from. It loads state and cameras, follows what happens, and says when
// the process behind the page is gone. Elements follow it with `Follows`.

import type { ReactiveController, ReactiveControllerHost } from 'lit';

import { Refused, Unreachable, api } from './api/client.js';
import { Happenings, type Happening } from './api/happenings.js';
import type { Camera, State } from './api/types.js';

const POLL_MS = 15_000;
const RETRY_MS = 3_000;
const SHORT_MS = 1_000;
/** Several happenings at once are one question. */
const GATHER_MS = 120;

export class Home extends EventTarget {
  state: State | null = null;
  cameras: Camera[] = [];
  camerasLoaded = false;
  /** Why nothing can be shown: nobody answers, or somebody who does not know this browser. */
  lost: { why: 'gone' | 'stranger'; said: string } | null = null;
  /** What failed while the server was there. */
  failed = '';
  #happenings: Happenings | null = null;
  #opened = 0;
  #gather: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #wanted = { state: false, cameras: false };
  #loading = false;

  start(): void {
    void this.load();
    setInterval(() => {
      if (!this.lost && document.visibilityState === 'visible') this.#want('state');
    }, POLL_MS);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.load();
    });
  }

  camera(id: string | null | undefined): Camera | undefined {
    return this.cameras.find((camera) => camera.id === id);
  }

  get usable(): boolean {
    return !this.lost && this.state !== null && this.state.paired && !this.state.removed;
  }

  /** Everything anew; also what "Try again" does. */
  async load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    clearTimeout(this.#retry);
    try {
      const state = await api.state();
      const cameras = state.paired && !state.removed ? await api.cameras() : [];
      this.state = state;
      this.cameras = cameras;
      this.camerasLoaded = true;
      this.lost = null;
      this.failed = '';
      if (!this.#happenings) {
        this.#opened = Date.now();
        this.#happenings = new Happenings(
          (happening) => this.#told(happening),
          () => this.#closed(),
        );
      }
    } catch (e) {
      this.#lose(e);
    }
    this.#loading = false;
    this.#changed();
  }

  #lose(e: unknown): void {
    if (e instanceof Unreachable) this.lost = { why: 'gone', said: '' };
    else if (e instanceof Refused && e.kind === 'forbidden') this.lost = { why: 'stranger', said: e.message };
    else this.failed = e instanceof Error ? e.message : String(e);
    if (this.lost) {
      this.#happenings?.stop();
      this.#happenings = null;
    }
    if (this.lost?.why !== 'stranger') this.#retry = setTimeout(() => void this.load(), RETRY_MS);
  }

  #closed(): void {
    this.#happenings = null;
    // One that is closed at once is not opened again at once.
    const soon = Date.now() - this.#opened < SHORT_MS;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.load(), soon ? RETRY_MS : 0);
  }

  #told(happening: Happening): void {
    switch (happening.type) {
      case 'removed':
        // At once: nothing of the home is shown any more while the state is asked for.
        if (this.state) this.state = { ...this.state, removed: true };
        this.cameras = [];
        this.#changed();
        this.#want('state');
        break;
      case 'camera_state':
        this.cameras = this.cameras.map((c) => (c.id === happening.camera_id ? { ...c, online: happening.online } : c));
        this.#changed();
        break;
      case 'cameras_changed':
        this.#want('cameras');
        break;
      case 'rejoined':
      case 'missed':
        this.#want('state', 'cameras');
        break;
      case 'link':
      case 'trust_alert':
      case 'devices_changed':
        this.#want('state');
        break;
      default:
    }
    this.dispatchEvent(new CustomEvent<Happening>('happening', { detail: happening }));
  }

  #want(...what: ('state' | 'cameras')[]): void {
    for (const one of what) this.#wanted[one] = true;
    this.#gather ??= setTimeout(() => void this.#fetch(), GATHER_MS);
  }

  async #fetch(): Promise<void> {
    this.#gather = undefined;
    const wanted = this.#wanted;
    this.#wanted = { state: false, cameras: false };
    try {
      if (wanted.state) this.state = await api.state();
      if (wanted.cameras && this.usable) this.cameras = await api.cameras();
      this.failed = '';
    } catch (e) {
      this.#lose(e);
    }
    this.#changed();
  }

  #changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}

export const home = new Home();

/** Draws its host anew when the home changes, and hands it what happens. */
export class Follows implements ReactiveController {
  constructor(
    private host: ReactiveControllerHost,
    private happened?: (happening: Happening) => void,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    home.addEventListener('change', this.#change);
    home.addEventListener('happening', this.#happening);
  }

  hostDisconnected(): void {
    home.removeEventListener('change', this.#change);
    home.removeEventListener('happening', this.#happening);
  }

  #change = () => this.host.requestUpdate();
  #happening = (e: Event) => this.happened?.((e as CustomEvent<Happening>).detail);
}

/** What went wrong, in the words to show. */
export function words(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
