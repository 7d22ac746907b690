/** A poster drawn by code, the same everywhere: rectangles of many colours over each other have corners at every size. */
export function drawPoster(width = 400, height = 300) {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  let seed = 20;
  const random = (limit: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % limit;
  };
  for (let n = 0; n < 500; n++) {
    const [left, top] = [random(width), random(height)];
    const [right, bottom] = [Math.min(width, left + 6 + random(40)), Math.min(height, top + 6 + random(40))];
    const colour = [random(256), random(256), random(256), 255];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) rgba.set(colour, 4 * (y * width + x));
  }
  return { width, height, rgba };
}
