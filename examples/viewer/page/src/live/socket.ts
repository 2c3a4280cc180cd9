// One live view's connection: messages in, checked and told apart. It opens, hands on and says once that it is over; when to try again is for
// its holder. A browser's socket can't hold the server back, so holders have to be quick: everything slow is behind a bounded queue.

import { Misshapen } from '../api/shape.js';
import { parseHead, type Head } from './head.js';
import { liveMessage, type LiveMessage } from './messages.js';

export type Wire = 'au' | 'fmp4';

export interface Takes {
  message(message: LiveMessage): void;
  media(head: Head, data: Uint8Array): void;
  over(why: string): void;
}

export class LiveSocket {
  #socket: WebSocket;
  #said = '';

  constructor(cameraId: string, wire: Wire, private takes: Takes) {
    this.#socket = new WebSocket(`ws://${location.host}/api/live/${encodeURIComponent(cameraId)}?format=${wire}`);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onmessage = ({ data }) => this.#take(data as string | ArrayBuffer);
    this.#socket.onclose = () => this.takes.over(this.#said);
  }

  stop(): void {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
  }

  #take(data: string | ArrayBuffer): void {
    if (typeof data !== 'string') {
      const media = parseHead(data);
      if (media) this.takes.media(media.head, media.data);
      return;
    }
    let message: LiveMessage;
    try {
      message = liveMessage(JSON.parse(data), '');
    } catch (e) {
      if (e instanceof Misshapen || e instanceof SyntaxError) return;
      throw e;
    }
    if (message.type === 'end') this.#said = message.reason;
    this.takes.message(message);
  }
}
