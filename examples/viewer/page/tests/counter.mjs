// The number that privet-fake-camera burns into its pictures, read back from what a browser shows. Its layout: examples/fake-camera/src/pattern.rs.

/** Runs in the page, on a canvas or a video: the number, or null where none is to be read without doubt. */
export function readCounter(picture) {
  const width = picture.videoWidth ?? picture.width;
  const height = picture.videoHeight ?? picture.height;
  if (!width || !height) return null;
  const block = width / 89;
  const cell = Math.max(2, Math.trunc(block * 0.75));
  const margin = (block - cell) / 2;
  const rows = Math.ceil(block);
  const copy = new OffscreenCanvas(width, rows).getContext('2d', { willReadFrequently: true });
  copy.drawImage(picture, 0, 0, width, rows, 0, 0, width, rows);
  const { data } = copy.getImageData(0, 0, width, rows);
  const edge = Math.trunc(cell / 4);
  let word = 0n;
  for (let i = 0; i < 32; i++) {
    const left = Math.round((2 * i + 2) * block + margin);
    const top = Math.round(margin);
    let sum = 0;
    let count = 0;
    for (let y = top + edge; y < top + cell - edge; y++) {
      for (let x = left + edge; x < left + cell - edge; x++) {
        sum += data[4 * (y * width + x) + 1];
        count++;
      }
    }
    const mean = sum / count;
    if (mean > 95 && mean < 160) return null;
    word = (word << 1n) | (mean >= 160 ? 1n : 0n);
  }
  const number = Number((word >> 4n) & 0xffffffn);
  return word >> 28n === 0b1010n ? number : null;
}
