// The forty bytes before each picture or piece of sound of a live view, little-endian (docs/design/0019-viewer-page.md). Pure.

export const HEAD_BYTES = 40;

export interface Head {
  track: 'video' | 'sound';
  /** Decoding can begin here. */
  key: boolean;
  durationUs: number;
  /** The camera's number of the picture. */
  frame: number;
  ptsUs: number;
  /** When the hub received it, by the wall clock. */
  captureMs: number;
  /** The server's clock when it was sent: this machine's own. */
  sentMs: number;
}

/** Null for what is no such message. */
export function parseHead(message: ArrayBuffer): { head: Head; data: Uint8Array } | null {
  if (message.byteLength < HEAD_BYTES) return null;
  const view = new DataView(message);
  const track = view.getUint8(0);
  if (track > 1) return null;
  const head: Head = {
    track: track === 0 ? 'video' : 'sound',
    key: (view.getUint8(1) & 1) === 1,
    durationUs: view.getUint32(4, true),
    frame: Number(view.getBigUint64(8, true)),
    ptsUs: Number(view.getBigInt64(16, true)),
    captureMs: Number(view.getBigInt64(24, true)),
    sentMs: Number(view.getBigInt64(32, true)),
  };
  return { head, data: new Uint8Array(message, HEAD_BYTES) };
}
