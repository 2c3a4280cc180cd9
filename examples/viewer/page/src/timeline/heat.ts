// Heat maps: 16 by 16 numbers that say where in the picture something moved, as colours over it. Pure but for the painting at the end.

export const SIDE = 16;

/** Red, green, blue, alpha of each part; nothing moved is nothing to see. */
export function colours(heat: readonly number[]): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(SIDE * SIDE * 4);
  for (let i = 0; i < SIDE * SIDE; i += 1) {
    const value = Math.min(255, Math.max(0, heat[i] ?? 0)) / 255;
    // From amber to red as it gets more, and thicker.
    out[i * 4] = 255;
    out[i * 4 + 1] = Math.round(200 - 150 * value);
    out[i * 4 + 2] = Math.round(60 - 30 * value);
    out[i * 4 + 3] = value < 0.06 ? 0 : Math.round(40 + 115 * value);
  }
  return out;
}

export function paintHeat(canvas: HTMLCanvasElement, heat: readonly number[]): void {
  const small = document.createElement('canvas');
  small.width = SIDE;
  small.height = SIDE;
  small.getContext('2d')?.putImageData(new ImageData(colours(heat), SIDE, SIDE), 0, 0);
  canvas.width = 320;
  canvas.height = 180;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
