/** `strata align`: what it takes, writes and tells, over an engine whose features lie where the image's brightness says. */
import { existsSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { emptyFeatures, type FloatFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { loadImage } from "../../../src/node/images.js";
import { Random } from "../../../src/random.js";
import { type Fake, fakeStrata, savePlain, temporaryFolder } from "./fake.js";

const COUNT = 40;
let strata: Fake;
let folder: ReturnType<typeof temporaryFolder>;

/** An image of brightness v sees the same points v / 100 pixels further right; a black one sees none. */
function points({ width, height, data }: Image): FloatFeatures {
  if (data[0] === 0) return emptyFeatures([width, height], 4);
  const random = new Random(1);
  const descriptors = Float32Array.from({ length: 4 * COUNT }, () => random.normal());
  for (let i = 0; i < COUNT; i++) {
    const row = descriptors.subarray(4 * i, 4 * i + 4);
    const length = Math.hypot(...row);
    for (let k = 0; k < 4; k++) row[k] /= length;
  }
  const keypoints = Float32Array.from({ length: 2 * COUNT }, (_, i) =>
    i % 2 ? 5 * random.uniform() : 5 * random.uniform() + data[0] / 100,
  );
  return { count: COUNT, dim: 4, imageSize: [width, height], keypoints, scores: new Float32Array(COUNT), descriptors };
}

beforeEach(async () => {
  folder = temporaryFolder();
  strata = fakeStrata();
  strata.features = points;
  for (const value of [0, 50, 100, 200]) await savePlain(folder.path(`${value}.png`), value);
});
afterEach(() => folder.remove());

const at = (name: string | number): string => folder.path(typeof name === "number" ? `${name}.png` : name);

it("warps the first image onto the last and tells where it lies", async () => {
  const { code, out, err } = await strata.run("align", at(200), at(100), "--out", at("a.png"), "--json");
  expect(err).toBe("");
  expect(code).toBe(0);
  const told = JSON.parse(out);
  expect(told).toMatchObject({
    onto: at(100),
    canvas: { left: 0, top: 0, width: 8, height: 6 },
    outputs: [at("a.png")],
  });
  expect(told.images[0].homography[2]).toBeCloseTo(-1, 4);
  expect(told.images[1]).toMatchObject({ path: at(100), by: null });
  // Its right column shows nothing.
  const { data } = await loadImage(at("a.png"));
  expect([data[0], data[3 * 6], data[3 * 7]]).toEqual([200, 200, 0]);
});

it("takes --onto, --crop, --overlay and --fill", async () => {
  const all = await strata.run(
    ...["align", at(50), at(200), "--onto", at(100), "--crop", "all", "--out", at("all.png"), "--fill", "1,2,3"],
  );
  expect(all.code).toBe(0);
  expect(all.out).toMatch(/50\.png onto .*100\.png: 40 of 40 matches agree[\s\S]*written: .*all\.png/);
  const crop = await strata.run(
    "align",
    at(200),
    at(100),
    "--out",
    at("c.jpg"),
    "--crop",
    "--overlay",
    "diff",
    "--json",
  );
  expect(crop.code).toBe(0);
  expect(JSON.parse(crop.out).canvas).toEqual({ left: 0, top: 0, width: 7, height: 6 });
});

it("writes a picture for each image into a folder, and names what does not show the reference", async () => {
  const { code, out, err } = await strata.run("align", at(50), at(0), at(200), at(100), "--out", at("aligned"));
  expect(code).toBe(1);
  expect(err).toMatch(/0\.png does not show .*100\.png \(0 matches/);
  expect(readdirSync(at("aligned")).sort()).toEqual(["200.png", "50.png"]);
  expect(out).toMatch(/8×6, written/);
  const none = await strata.run("align", at(0), at(100), "--out", at("none.png"));
  expect(none.code).toBe(1);
  expect(none.out).toMatch(/nothing written/);
  expect(existsSync(at("none.png"))).toBe(false);
});

it.each<[string[], RegExp]>([
  [["100.png", "--out", "x.png"], /needs two images/],
  [["100.png", "--onto", "100.png", "--out", "x.png"], /an image beside --onto/],
  [["100.png", "200.png", "--out", "x.gif"], /must be one of \.png, \.jpg, \.jpeg/],
  [["100.png", "200.png", "--out", "100.png"], /100\.png/],
  [["100.png", "missing.png", "--out", "x.png"], /missing\.png/],
  [["100.png", "200.png", "--out", "x.png", "--crop", "some"], /frame, overlap, all/],
  [["100.png", "200.png", "--out", "x.png", "--fill", "1,2"], /three numbers/],
  [["100.png", "200.png"], /--out/],
])("refuses %j", async (args, message) => {
  const paths = args.map((arg) => (/\.\w+$/.test(arg) ? at(arg) : arg));
  const { code, err } = await strata.run("align", ...paths);
  expect(err).toMatch(message);
  expect(code).not.toBe(0);
  expect(existsSync(at("x.png"))).toBe(false);
});
