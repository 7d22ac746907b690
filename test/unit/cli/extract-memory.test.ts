/** A run over many images holds one or two of them at a time, however many there are. */
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { fakeStrata, temporaryFolder } from "./fake.js";

const IMAGES = 600;
/** 320 × 320 pixels: 600 of them have 176 MiB. */
const EDGE = 320;

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Resident bytes, once all that nobody holds is collected. */
async function resident(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  expect(gc, "vitest runs this project with --expose-gc").toBeDefined();
  for (let i = 0; i < 3; i++) {
    gc?.();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().rss;
}

describe("strata extract over 600 images", () => {
  it.each([["npz"], ["h5"]])("holds its memory flat: %s", async (format) => {
    const images = folder.path(format);
    mkdirSync(images);
    const first = folder.path(format, "0.ppm");
    const header = Buffer.from(`P6 ${EDGE} ${EDGE} 255\n`);
    writeFileSync(first, Buffer.concat([header, Buffer.alloc(3 * EDGE * EDGE, 90)]));
    for (let i = 1; i < IMAGES; i++) linkSync(first, folder.path(format, `${i}.ppm`));

    const fake = fakeStrata();
    const held: Promise<number>[] = [];
    fake.onImage = () => {
      // Afterwards, when the engine has let go of the image.
      if (fake.extracted === 100 || fake.extracted === IMAGES - 1) held.push(resident());
    };
    const out = folder.path(format === "h5" ? "all.h5" : "out");
    const { code } = await fake.run("extract", images, "--format", format, "--out", out, "--quiet");
    expect([code, fake.extracted]).toEqual([0, IMAGES]);
    const [early, late] = await Promise.all(held);
    expect((late - early) / 2 ** 20).toBeLessThan(40);
  });
});
