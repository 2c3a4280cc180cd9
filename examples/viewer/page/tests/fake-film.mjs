// Films for the fake server: a few seconds of real H.264 (and AAC) made with ffmpeg, cut into the pieces that a live view is made of. One
// fragmented MP4 with a fragment for each picture gives both wire formats: the fragment itself, and the access unit in its `mdat`.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FPS = 15;
/** Pictures of a group, which is a segment here. */
const GOP = FPS;
const SECONDS = 8;
const RATE = 16000;
const VIDEO_SCALE = 90000;

/** A folder of films to use instead of test pictures, for nicer screenshots: `PRIVET_PAGE_FILMS`. */
const FILMS = process.env.PRIVET_PAGE_FILMS;

const SCENES = [
  ['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=${FPS}`],
  ['-f', 'lavfi', '-i', `smptehdbars=size=1280x720:rate=${FPS}`],
  ['-f', 'lavfi', '-i', `testsrc=size=1280x720:rate=${FPS}`],
];

/** Where picture `n` comes from. */
function source(n) {
  if (!FILMS) return SCENES[n % SCENES.length];
  const films = readdirSync(FILMS).filter((name) => name.endsWith('.mp4')).sort();
  if (films.length === 0) throw new Error(`PRIVET_PAGE_FILMS: no .mp4 in ${FILMS}`);
  return ['-ss', String(4 + n * 5), '-i', join(FILMS, films[n % films.length])];
}

async function ffmpeg(folder, name, args) {
  const path = join(folder, name);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const half = join(folder, `half-${process.pid}-${name}`);
  try {
    await run('ffmpeg', ['-v', 'error', '-y', ...args, half]);
  } catch (e) {
    if (e.code === 'ENOENT') throw new Error('ffmpeg is missing: these tests make their film with it (./dev setup installs it)');
    throw e;
  }
  renameSync(half, path);
  return path;
}

export async function makeFilm(folder, n, { sound = false } = {}) {
  const kind = FILMS ? 'film' : 'scene';
  const encode = ['-t', String(SECONDS), '-r', String(FPS), '-s', '1280x720', '-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-profile:v', 'main', '-bf', '0', '-preset', 'veryfast', '-crf', '26', '-g', String(GOP), '-keyint_min', String(GOP), '-sc_threshold', '0'];
  const tone = ['-f', 'lavfi', '-i', `sine=frequency=330:sample_rate=${RATE}:duration=${SECONDS}`];
  const map = ['-map', '0:v', ...(sound ? ['-map', '1:a', '-c:a', 'aac', '-b:a', '32k'] : ['-an'])];
  const live = await ffmpeg(folder, `${kind}-${n}${sound ? '-sound' : ''}-live.mp4`, [...source(n), ...(sound ? tone : []), ...map, ...encode, '-video_track_timescale', String(VIDEO_SCALE), '-use_editlist', '0', '-movflags', '+empty_moov+default_base_moof+frag_every_frame']);
  const clip = await ffmpeg(folder, `${kind}-${n}-clip.mp4`, [...source(n), '-map', '0:v', ...encode, '-movflags', '+faststart']);
  const thumbnail = await ffmpeg(folder, `${kind}-${n}.jpg`, ['-ss', '2', '-i', clip, '-frames:v', '1', '-s', '320x180', '-q:v', '5']);
  return { ...cut(readFileSync(live), sound), clip: readFileSync(clip), thumbnail: readFileSync(thumbnail), fps: FPS, perSegment: GOP };
}

/** Boxes between two places. */
function* boxes(bytes, from = 0, to = bytes.length) {
  for (let at = from; at + 8 <= to; ) {
    const size = bytes.readUInt32BE(at);
    yield { type: bytes.toString('latin1', at + 4, at + 8), at, body: at + 8, end: at + size };
    at += size;
  }
}

function find(bytes, path, from = 0, to = bytes.length) {
  for (const box of boxes(bytes, from, to)) {
    if (box.type !== path[0]) continue;
    return path.length === 1 ? box : find(bytes, path.slice(1), box.body, box.end);
  }
  return null;
}

function cut(bytes, sound) {
  const moov = find(bytes, ['moov']);
  const init = bytes.subarray(0, moov.end);
  const avcC = bytes.indexOf('avcC', moov.at, 'latin1');
  const config = bytes.subarray(avcC + 4, avcC - 4 + bytes.readUInt32BE(avcC - 4));
  const codec = `avc1.${config.subarray(1, 4).toString('hex')}`;
  const pieces = [];
  let pictures = 0;
  let moof = null;
  for (const box of boxes(bytes, moov.end)) {
    if (box.type === 'moof') moof = box;
    if (box.type !== 'mdat' || !moof) continue;
    const fragment = bytes.subarray(moof.at, box.end);
    const tfhd = find(fragment, ['moof', 'traf', 'tfhd']);
    const tfdt = find(fragment, ['moof', 'traf', 'tfdt']);
    const track = fragment.readUInt32BE(tfhd.body + 4) === 1 ? 'video' : 'sound';
    const scale = track === 'video' ? VIDEO_SCALE : RATE;
    const unit = bytes.subarray(box.body, box.end);
    pieces.push({
      track,
      fragment,
      tfdtAt: tfdt.body + 4,
      wide: fragment[tfdt.body] === 1,
      scale,
      time: fragment[tfdt.body] === 1 ? Number(fragment.readBigUInt64BE(tfdt.body + 4)) : fragment.readUInt32BE(tfdt.body + 4),
      unit,
      key: track === 'sound' || isKey(unit),
      // Counted, since its time is rounded where there is sound, too.
      picture: pictures,
    });
    if (track === 'video') pictures += 1;
    moof = null;
  }
  return { init, config, codec, audioCodec: sound ? 'mp4a.40.2' : null, pieces, pictures, loopUs: SECONDS * 1_000_000 };
}

function isKey(unit) {
  for (let at = 0; at + 5 <= unit.length; at += 4 + unit.readUInt32BE(at)) if ((unit[at + 4] & 31) === 5) return true;
  return false;
}

/** A piece as it is in the loop of this number. */
export function inLoop(film, piece, loop) {
  const shift = (loop * film.loopUs * piece.scale) / 1_000_000;
  const fragment = Buffer.from(piece.fragment);
  if (piece.wide) fragment.writeBigUInt64BE(BigInt(piece.time + shift), piece.tfdtAt);
  else fragment.writeUInt32BE(piece.time + shift, piece.tfdtAt);
  return { fragment, unit: piece.unit, ptsUs: Math.round(((piece.time + shift) * 1_000_000) / piece.scale) };
}
