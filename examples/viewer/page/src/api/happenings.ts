// What happens without being asked for: the server's stream of events, checked and handed on. When it closes, whoever holds it is told and
// decides; kinds that this page does not know are passed over.

import { Misshapen, count, flag, list, oneOf, orNull, record, tagged, text, type Shape } from './shape.js';
import { event, trust, type HomeEvent, type Trust } from './types.js';

export interface Notice {
  event_id: string;
  title: string;
  body: string;
  severity: string;
  camera_id: string | null;
  clip_id: string | null;
  at_ms: number;
  stale: boolean;
}

export type Happening =
  | { type: 'clip_started'; clip_id: string; camera_id: string; at_ms: number; trust: Trust }
  | { type: 'clip_ready' | 'clip_notes'; clip_id: string; camera_id: string }
  | { type: 'happened'; event: HomeEvent }
  | { type: 'clips_forgotten'; clip_ids: string[] }
  | { type: 'notification'; notification: Notice }
  | { type: 'link'; state: string; why: string | null }
  | { type: 'camera_state'; camera_id: string; online: boolean }
  | { type: 'devices_changed' | 'trust_alert'; what: string }
  | { type: 'missed'; count: number }
  | { type: 'wishes_changed' | 'cameras_changed' | 'rejoined' | 'removed' };

const notice: Shape<Notice> = record({
  event_id: text,
  title: text,
  body: text,
  severity: text,
  camera_id: orNull(text),
  clip_id: orNull(text),
  at_ms: count,
  stale: flag,
});

const happening: Shape<Happening> = tagged<Happening>('type', {
  clip_started: record({ type: oneOf('clip_started'), clip_id: text, camera_id: text, at_ms: count, trust }),
  clip_ready: record({ type: oneOf('clip_ready'), clip_id: text, camera_id: text }),
  clip_notes: record({ type: oneOf('clip_notes'), clip_id: text, camera_id: text }),
  happened: record({ type: oneOf('happened'), event }),
  clips_forgotten: record({ type: oneOf('clips_forgotten'), clip_ids: list(text) }),
  notification: record({ type: oneOf('notification'), notification: notice }),
  link: record({ type: oneOf('link'), state: text, why: orNull(text) }),
  camera_state: record({ type: oneOf('camera_state'), camera_id: text, online: flag }),
  devices_changed: record({ type: oneOf('devices_changed'), what: text }),
  trust_alert: record({ type: oneOf('trust_alert'), what: text }),
  missed: record({ type: oneOf('missed'), count }),
  wishes_changed: record({ type: oneOf('wishes_changed') }),
  cameras_changed: record({ type: oneOf('cameras_changed') }),
  rejoined: record({ type: oneOf('rejoined') }),
  removed: record({ type: oneOf('removed') }),
});

export class Happenings {
  #socket: WebSocket;

  constructor(told: (happening: Happening) => void, closed: () => void) {
    this.#socket = new WebSocket(`ws://${location.host}/api/happenings`);
    this.#socket.onmessage = ({ data }) => {
      try {
        told(happening(JSON.parse(String(data)), ''));
      } catch (e) {
        if (!(e instanceof Misshapen || e instanceof SyntaxError)) throw e;
      }
    };
    this.#socket.onclose = closed;
  }

  stop(): void {
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close();
  }
}
