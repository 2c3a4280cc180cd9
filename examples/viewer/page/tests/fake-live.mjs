// The fake server's live views: a film that runs in a loop by the wall clock, in segments of one group of pictures with a verdict after each;
// and the ways to disturb it that the tests need.

import { inLoop } from './fake-film.mjs';

const FIRST_FRAME = 120_000;
const HUB_MS = 40;

export class FakeCamera {
  constructor(id, film, started) {
    this.id = id;
    this.film = film;
    this.started = started;
    this.stream = id.slice(0, 16).padEnd(32, '7');
    this.views = new Set();
    /** Every segment from now on is broken. */
    this.broken = false;
    /** Its substream is sent, in the same row of pictures. */
    this.substream = false;
  }

  open(socket, wire) {
    const view = new FakeView(this, socket, wire);
    this.views.add(view);
    socket.on('close', () => {
      view.stop();
      this.views.delete(view);
    });
  }

  /** Leaves out all of the next segment but its first picture, and says so; gives how many pictures that are. */
  gap(reason) {
    for (const view of this.views) view.skip = reason;
    return this.film.perSegment - 1;
  }

  /** Another stream begins with the segment that just ended, as where nobody watched for a moment. */
  anew() {
    for (const view of this.views) view.anew = true;
  }

  /** The next segment is the substream's, or the main stream's again. */
  changeOver(substream) {
    this.substream = substream;
    for (const view of this.views) view.changesOver = true;
  }

  end(reason) {
    for (const view of this.views) view.end(reason);
  }
}

class FakeView {
  constructor(camera, socket, wire) {
    this.camera = camera;
    this.socket = socket;
    this.wire = wire;
    this.stats = { received: 0, dropped: 0, lost: 0, verified: 0, broken: 0, latency_ms: HUB_MS };
    this.skip = null;
    this.skipFrom = null;
    this.stream = camera.stream;
    this.streams = 0;
    /** How much later than the film's clock its pictures come, since some came again. */
    this.laterUs = 0;
    const { film } = camera;
    this.format();
    const now = this.place();
    // The newest segment from its beginning.
    this.loop = Math.floor(now / film.loopUs);
    const inFilm = now % film.loopUs;
    this.next = 0;
    film.pieces.forEach((piece, i) => {
      if (piece.track === 'video' && piece.key && (piece.time * 1e6) / piece.scale <= inFilm) this.next = i;
    });
    this.segmentFirst = this.frameOf(film.pieces[this.next]);
    this.timer = setInterval(() => this.pump(), 15);
    this.statsTimer = setInterval(() => this.say({ type: 'stats', ...this.stats }), 1000);
  }

  format() {
    const { camera, wire } = this;
    const { film } = camera;
    this.say({
      type: 'format',
      codec: camera.codec ?? film.codec,
      width: 1280,
      height: 720,
      audio_codec: film.audioCodec,
      substream: camera.substream,
      header: (wire === 'au' ? film.config : film.init).toString('base64'),
    });
  }

  place() {
    return (Date.now() - this.camera.started) * 1000;
  }

  frameOf(piece) {
    return FIRST_FRAME + this.loop * this.camera.film.pictures + piece.picture;
  }

  say(message) {
    if (this.socket.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  pump() {
    const { film } = this.camera;
    for (;;) {
      const piece = film.pieces[this.next];
      const { fragment, unit, ptsUs } = inLoop(film, piece, this.loop);
      if (ptsUs + this.laterUs > this.place()) return;
      const frame = piece.track === 'video' ? this.frameOf(piece) : 0;
      if (piece.track === 'video' && piece.key && frame !== this.segmentFirst) this.verdict(frame);
      if (piece.track === 'video' && piece.key && this.turns()) continue;
      if (this.pass(piece, frame)) this.send(piece, frame, ptsUs, this.wire === 'au' ? unit : fragment);
      this.next += 1;
      if (this.next === film.pieces.length) {
        this.next = 0;
        this.loop += 1;
      }
    }
  }

  /** Whether this piece is sent; a gap goes from the picture after a key frame to the next key frame. */
  pass(piece, frame) {
    if (piece.track !== 'video') return true;
    const { afterKey } = this;
    this.afterKey = piece.key;
    if (!this.skip) return true;
    if (this.skipFrom === null) {
      if (!afterKey || piece.key) return true;
      this.skipFrom = frame;
      return false;
    }
    if (!piece.key) return false;
    this.say({ type: 'gap', from_seq: this.skipFrom, to_seq: frame, reason: this.skip });
    this.skip = null;
    this.skipFrom = null;
    return true;
  }

  /** What is told before a key frame; whether it goes on elsewhere. */
  turns() {
    const { film } = this.camera;
    if (this.changesOver) this.format();
    this.changesOver = false;
    if (!this.anew) return false;
    this.anew = false;
    this.streams += 1;
    this.stream = `${this.streams}`.padStart(32, 'a');
    do {
      this.next -= 1;
      if (this.next < 0) {
        this.next = film.pieces.length - 1;
        this.loop -= 1;
      }
    } while (!(film.pieces[this.next].track === 'video' && film.pieces[this.next].key));
    const frame = this.frameOf(film.pieces[this.next]);
    this.segmentFirst = frame;
    // As they were made: one after the other.
    this.laterUs = this.place() - inLoop(film, film.pieces[this.next], this.loop).ptsUs;
    this.say({ type: 'gap', from_seq: frame, to_seq: frame, reason: 'new-stream' });
    return true;
  }

  verdict(nextFirst) {
    const trust = this.camera.broken
      ? { state: 'broken', why: 'the hash of frame 7 is not the signed one' }
      : { state: 'verified', signer: this.camera.signer, lease_until_ms: null };
    const [first, last] = this.camera.broken ? [0, 0] : [this.segmentFirst, nextFirst - 1];
    this.stats[this.camera.broken ? 'broken' : 'verified'] += 1;
    const index = Math.floor((this.segmentFirst - FIRST_FRAME) / this.camera.film.perSegment);
    this.say({ type: 'segment', stream: this.stream, index, first_frame: first, last_frame: last, trust });
    this.segmentFirst = nextFirst;
  }

  send(piece, frame, ptsUs, data) {
    const head = Buffer.alloc(40);
    head[0] = piece.track === 'video' ? 0 : 1;
    head[1] = piece.key ? 1 : 0;
    head.writeUInt32LE(Math.round(1e6 / this.camera.film.fps), 4);
    head.writeBigUInt64LE(BigInt(frame), 8);
    head.writeBigInt64LE(BigInt(ptsUs), 16);
    head.writeBigInt64LE(BigInt(Math.round(this.camera.started + ptsUs / 1000) - HUB_MS), 24);
    head.writeBigInt64LE(BigInt(Date.now()), 32);
    this.stats.received += 1;
    if (this.socket.readyState === 1) this.socket.send(Buffer.concat([head, data]));
  }

  end(reason) {
    this.say({ type: 'end', reason });
    this.stop();
    this.socket.close();
  }

  stop() {
    clearInterval(this.timer);
    clearInterval(this.statsTimer);
  }
}
