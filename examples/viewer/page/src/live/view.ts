// A live view: connection, player and verdicts of one camera, drawn to one canvas. What must never be shown is decided here and in `verdicts.ts`:
// after a broken segment the canvas is empty until a later one was verified. It begins again by itself, with growing pauses.

import type { Head } from './head.js';
import { MsePlayer, canBuffer, mimeOf } from './mse.js';
import { Decoder, canDecode } from './decode.js';
import { gapReason, type Format, type GapReason, type LiveMessage, type LiveStats } from './messages.js';
import type { Player, Screen } from './player.js';
import { Ribbon } from './ribbon.js';
import { LiveSocket, type Wire } from './socket.js';
import { Verdicts, type Verdict } from './verdicts.js';

export interface Missed {
  frames: number;
  reason: GapReason;
  atMs: number;
}

export type Phase = 'off' | 'connecting' | 'live' | 'ended' | 'unplayable';

const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000];
/** A gap that follows another of its kind so soon is the same one to a person. */
const SAME_GAP_MS = 2000;
const GAPS_KEPT = 20;
const COUNT_ANEW = 300;
/** From one connection to the next: so long without a picture is told. */
const PAUSE_MS = 1000;

export class LiveView extends EventTarget {
  phase: Phase = 'off';
  /** Why it ended, or what cannot be played. */
  why = '';
  format: Format | null = null;
  stats: LiveStats | null = null;
  verdicts = new Verdicts();
  ribbon = new Ribbon();
  missed: Missed[] = [];
  /** The picture on the canvas. */
  shown: Head | null = null;
  drawn = 0;
  lagMs = 0;
  #canvas: HTMLCanvasElement;
  #cameraId: string;
  #socket: LiveSocket | null = null;
  #player: Player | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  /** With sound the way is MSE: access units come without the sound's parameters. */
  #sound = false;
  #codecsFailed = false;
  /** The newest frame that came, and the newest that had come with the last broken verdict: up to that, nothing is drawn any more. */
  #came = 0;
  #cameAtMs = 0;
  /** Why nothing came since the last picture of an earlier connection. */
  #interrupted: GapReason | null = null;
  #floor: number | null = null;

  constructor(canvas: HTMLCanvasElement, cameraId: string) {
    super();
    this.#canvas = canvas;
    this.#cameraId = cameraId;
    canvas.dataset.drawn = '0';
    canvas.dataset.trust = 'pending';
  }

  get path(): 'webcodecs' | 'mse' {
    return !this.#sound && !this.#codecsFailed && canDecode() ? 'webcodecs' : 'mse';
  }

  get canSound(): boolean {
    return Boolean(this.format?.audio_codec) && canBuffer() && MediaSource.isTypeSupported(mimeOf(this.format as Format));
  }

  get soundOn(): boolean {
    return this.#sound;
  }

  setSound(on: boolean): void {
    if (on === this.#sound) return;
    this.#sound = on;
    if (this.phase !== 'off') this.#connect();
  }

  start(): void {
    if (this.phase === 'off') this.#connect();
  }

  /** Until it is started again; what is missed meanwhile is told with this reason. */
  stop(why: GapReason = 'not_watched'): void {
    clearTimeout(this.#retry);
    this.#interrupted = why;
    this.#hangUp();
    this.phase = 'off';
    this.#changed();
  }

  /** Takes the picture away, too. */
  wipe(): void {
    this.stop();
    this.#blank();
    this.shown = null;
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#hangUp();
    const wire: Wire = this.path === 'webcodecs' ? 'au' : 'fmp4';
    if (wire === 'fmp4' && !canBuffer()) {
      this.#unplayable('');
      return;
    }
    this.phase = 'connecting';
    this.verdicts.interrupted();
    this.#canvas.dataset.path = this.path;
    const screen: Screen = {
      paint: (source, width, height, head) => this.#paint(source, width, height, head),
      skipped: (from, to) => this.#miss(to - from, 'slow_page'),
      failed: (why) => this.#playerFailed(why),
    };
    this.#player = wire === 'au' ? new Decoder(screen) : new MsePlayer(screen);
    this.#player.sound(this.#sound && !this.verdicts.broken);
    this.#socket = new LiveSocket(this.#cameraId, wire, {
      message: (message) => this.#take(message),
      media: (head, data) => {
        if (head.track === 'video') this.#arrived(head);
        this.#player?.media(head, data);
      },
      over: (why) => this.#over(why),
    });
    this.#changed();
  }

  #hangUp(): void {
    this.#socket?.stop();
    this.#player?.stop();
    this.#socket = null;
    this.#player = null;
  }

  #take(message: LiveMessage): void {
    switch (message.type) {
      case 'format':
        this.format = message;
        // What was in the player goes with it.
        this.#floor = null;
        this.#player?.format(message);
        break;
      case 'segment':
        this.#judge(this.verdicts.handle(message, Date.now()));
        break;
      case 'gap':
        this.verdicts.interrupted();
        this.#miss(Math.max(0, message.to_seq - message.from_seq), gapReason(message.reason));
        this.#player?.gap();
        break;
      case 'stats':
        this.stats = message;
        break;
      default:
        return;
    }
    this.#changed();
  }

  #arrived(head: Head): void {
    // A camera that began anew counts from the start.
    if (head.frame < this.#came - COUNT_ANEW) this.#floor = null;
    if (this.#interrupted) this.#resumed(head, this.#interrupted);
    this.#interrupted = null;
    this.#came = head.frame;
    this.#cameAtMs = head.captureMs;
    this.ribbon.picture(head.frame, head.key, Date.now());
  }

  /** The first picture of another connection: the server doesn't know what this page saw before. */
  #resumed(head: Head, why: GapReason): void {
    if (this.#cameAtMs === 0 || head.captureMs - this.#cameAtMs <= PAUSE_MS) return;
    const frames = Math.max(0, head.frame - this.#came - 1);
    // Who did not look knows it; the ribbon has the hole all the same.
    if (why === 'not_watched') this.ribbon.gap(frames, why, Date.now());
    else this.#miss(frames, why);
  }

  #judge(verdict: Verdict): void {
    this.ribbon.verdict(verdict);
    if (verdict.trust.state === 'broken') this.#floor = this.#came;
    if (this.verdicts.broken) this.#blank();
    this.#player?.sound(this.#sound && !this.verdicts.broken);
    this.#mark();
    this.dispatchEvent(new CustomEvent('verdict', { detail: verdict }));
  }

  #miss(frames: number, reason: GapReason): void {
    // The same pictures again: nothing that anybody missed.
    if (frames === 0 && reason === 'new_stream') return;
    const atMs = Date.now();
    const last = this.missed.at(-1);
    if (last && last.reason === reason && atMs - last.atMs < SAME_GAP_MS) {
      this.missed[this.missed.length - 1] = { frames: last.frames + frames, reason, atMs };
    } else {
      this.missed = [...this.missed, { frames, reason, atMs }].slice(-GAPS_KEPT);
    }
    this.ribbon.gap(frames, reason, atMs);
    this.#changed();
  }

  #paint(source: CanvasImageSource, width: number, height: number, head: Head): void {
    if (this.verdicts.broken || this.phase === 'off' || width === 0) return;
    if (this.#floor !== null && head.frame <= this.#floor) return;
    const canvas = this.#canvas;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    canvas.getContext('2d', { alpha: false })?.drawImage(source, 0, 0, width, height);
    this.shown = head;
    this.drawn += 1;
    this.lagMs = Date.now() - head.captureMs;
    canvas.dataset.frame = String(head.frame);
    canvas.dataset.drawn = String(this.drawn);
    canvas.dataset.lag = String(this.lagMs);
    this.#tries = 0;
    this.#mark();
    if (this.phase !== 'live') {
      this.phase = 'live';
      this.why = '';
      this.#changed();
    }
    this.dispatchEvent(new Event('picture'));
  }

  #mark(): void {
    const verified = this.shown !== null && this.verdicts.of(this.shown.frame) !== null;
    this.#canvas.dataset.trust = this.verdicts.broken ? 'broken' : verified ? 'verified' : 'pending';
  }

  #blank(): void {
    const context = this.#canvas.getContext('2d', { alpha: false });
    if (context) {
      context.fillStyle = '#000';
      context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    }
    this.shown = null;
    delete this.#canvas.dataset.frame;
  }

  #playerFailed(why: string): void {
    if (this.path === 'webcodecs') {
      this.#codecsFailed = true;
      this.#connect();
    } else if (this.#sound) {
      this.#sound = false;
      this.#connect();
    } else {
      this.#unplayable(why);
    }
  }

  #unplayable(why: string): void {
    this.#hangUp();
    this.phase = 'unplayable';
    this.why = why;
    this.#changed();
  }

  #over(why: string): void {
    this.#hangUp();
    this.#interrupted = 'network_loss';
    this.phase = 'ended';
    this.why = why;
    const pause = PAUSES_MS[Math.min(this.#tries, PAUSES_MS.length - 1)];
    this.#tries += 1;
    this.#retry = setTimeout(() => this.#connect(), pause);
    this.#changed();
  }

  #changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}
