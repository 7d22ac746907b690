import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { matchesSvg, type PictureInput } from "../../../src/picture/index.js";
import { drawn, featuresOf, pair } from "./pair.js";

let input: PictureInput;
beforeAll(async () => {
  input = await pair();
});

/** Number of lines, dots or polygons drawn in a group (which has two paths, the lower one dark). */
function marks(svg: string, what: string): number {
  return [...svg.matchAll(new RegExp(`<g [^>]*data-what="${what}"[^>]*><path d="([^"]*)"`, "g"))].reduce(
    (sum, [, path]) => sum + path.split("M").length - 1,
    0,
  );
}

/** Renders with librsvg, a strict XML reader, and counts the pixels near a colour. */
async function pixelsNear(svg: string, [r, g, b]: [number, number, number]): Promise<number> {
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  // Above the caption, whose samples have the same colours.
  const end = 3 * info.width * (info.height - 95);
  let count = 0;
  for (let k = 0; k < end; k += 3) {
    if (Math.abs(data[k] - r) + Math.abs(data[k + 1] - g) + Math.abs(data[k + 2] - b) < 40) count++;
  }
  return count;
}

const BLUE: [number, number, number] = [86, 180, 233];
const YELLOW: [number, number, number] = [240, 228, 66];
const WHITE: [number, number, number] = [255, 255, 255];

describe("matchesSvg", () => {
  it("draws every match, keypoint and the frame, and says the counts", () => {
    const svg = matchesSvg(input);
    expect(marks(svg, "inliers")).toBe(30);
    expect(marks(svg, "outliers")).toBe(12);
    expect(marks(svg, "keypoints")).toBe(168);
    expect(marks(svg, "outline")).toBe(1);
    for (const text of [
      "84 + 84 keypoints",
      "42 matches",
      "30 inliers (71 %)",
      "12 outliers",
      "left.png",
      "right.png",
    ]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    expect(svg).not.toContain("most similar");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("renders: lines, frame and dots appear, and disappear one by one when not asked for", async () => {
    const all = matchesSvg(input);
    for (const [name, colour, least] of [
      ["inliers", BLUE, 500],
      ["outline", YELLOW, 500],
      ["keypoints", WHITE, 84], // dots are about 2 px wide
    ] as const) {
      const without = matchesSvg({ ...input, options: { [name]: false } });
      expect(marks(without, name)).toBe(0);
      expect(await pixelsNear(all, colour), name).toBeGreaterThan((await pixelsNear(without, colour)) + least);
    }
    expect(marks(matchesSvg({ ...input, options: { outliers: false } }), "outliers")).toBe(0);
  });

  it("puts a line's ends on its keypoints: pixel centres lie on integers, both images have one height", () => {
    const one = (x: number, y: number) => featuresOf(Float32Array.of(x, y), [160, 120]);
    const svg = matchesSvg({
      ...input,
      featuresA: one(0, 0),
      featuresB: one(199, 119),
      matches: { count: 1, pairs: Uint32Array.of(0, 0), scores: Float32Array.of(1) },
      homography: { matrix: null, inliers: new Uint32Array(0) },
    });
    const scale = (1600 - 8) / (160 + 200); // both images are 120 px high
    const [, ...numbers] = /data-what="outliers".*?d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/s.exec(svg) ?? [];
    const wanted = [0.5 * scale, 0.5 * scale, 1600 - 0.5 * scale, 119.5 * scale];
    for (const [k, value] of numbers.map(Number).entries()) expect(value).toBeCloseTo(wanted[k], 1);
    expect(numbers).toHaveLength(4);
  });

  it("draws at most maxLines, the most similar, and says so", () => {
    const svg = matchesSvg({ ...input, options: { maxLines: 10 } });
    expect(marks(svg, "inliers") + marks(svg, "outliers")).toBe(10);
    expect(svg).toContain("the 10 most similar drawn");
    expect(svg).toContain(">42 matches</text>");
    const order = [...input.matches.scores.keys()].sort((m, n) => input.matches.scores[n] - input.matches.scores[m]);
    expect(marks(svg, "inliers")).toBe(order.slice(0, 10).filter((m) => m < 30).length);
  });

  it("escapes names, cuts long ones, and stays readable for an XML reader", async () => {
    const name = `"><script>alert(1)</script>&\u0001 ${"long ".repeat(60)}end.png`;
    const svg = matchesSvg({
      ...input,
      imageA: { ...input.imageA, name },
      imageB: { ...input.imageB, name: "東京 🗻" },
    });
    expect(svg).not.toContain("<script");
    expect(svg).toMatch(/…[^<]*end\.png<\/text>/);
    expect(await pixelsNear(svg, BLUE)).toBeGreaterThan(500);
  });

  it("is a picture of the images also without keypoints, matches or a homography", async () => {
    const none = featuresOf(new Float32Array(0), [160, 120]);
    const svg = matchesSvg({
      ...input,
      featuresA: none,
      featuresB: none,
      matches: { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) },
      homography: { matrix: null, inliers: new Uint32Array(0) },
    });
    expect(svg).toContain(">0 + 0 keypoints</text>");
    expect(svg).toContain(">no homography</text>");
    expect(svg).not.toContain("%)");
    expect(await pixelsNear(svg, [110, 110, 110])).toBeGreaterThan(10_000);
  });

  it("stays of a sensible size for tall and for wide images", async () => {
    for (const size of [
      [40, 4000],
      [4000, 40],
    ] as const) {
      const href = await drawn(size, 130, 110);
      const image = { href, width: size[0], height: size[1] };
      const svg = matchesSvg({ ...input, imageA: image, imageB: image });
      const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!.map(Number);
      expect(width).toBeGreaterThanOrEqual(1100);
      expect(width).toBeLessThanOrEqual(1600);
      expect(height).toBeLessThan(1300);
      expect(svg).toContain("image A");
    }
  });
});
