/** The picture that is laid on a target until the reader chooses one: strata, drawn by code. */
import type { Overlay } from "./laid.js";

const [WIDTH, HEIGHT] = [800, 600];
const LAYERS = ["#14324a", "#1d5c7a", "#3c8d93", "#8ebd9d", "#e9cf8b", "#e39a5b", "#b8553f"];

export async function drawnOverlay(): Promise<Overlay> {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  context.fillStyle = LAYERS[0];
  context.fillRect(0, 0, WIDTH, HEIGHT);
  for (const [i, colour] of LAYERS.entries()) {
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(0, HEIGHT);
    for (let x = 0; x <= WIDTH; x += 8)
      context.lineTo(x, 90 * i + 70 + 28 * Math.sin(x / (90 + 14 * i) + 1.7 * i) + 12 * Math.sin(x / 37 + i));
    context.lineTo(WIDTH, HEIGHT);
    context.fill();
  }
  context.fillStyle = "#fff";
  context.font = "700 110px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText("strata", WIDTH / 2, HEIGHT / 2 + 40);
  return { kind: "picture", href: URL.createObjectURL(await canvas.convertToBlob()) };
}
