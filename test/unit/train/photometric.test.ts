/** Changes of light and camera, each against what physics or the standard says it does. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import type { Image } from "../../../src/image/image.js";
import { Random } from "../../../src/random.js";
import {
  changeLight,
  drawChange,
  type LightChange,
  NO_PHOTOMETRIC,
  PHOTOMETRIC_DEFAULTS,
  type PhotometricOptions,
  photometricOptions,
  UNCHANGED,
} from "../../../src/train/data/photometric.js";
import { drawShadow } from "../../../src/train/data/shadow.js";
import { drawImage, noiseImage } from "../../models.js";

/** IEC 61966-2-1, written the other way round from the source. */
const toLinear = (code: number) => (code > 10.31475 ? ((code / 255 + 0.055) / 1.055) ** 2.4 : code / (255 * 12.92));
const toCode = (light: number) => 255 * (light > 0.0031308 ? 1.055 * light ** (1 / 2.4) - 0.055 : 12.92 * light);
const channel = ({ data }: Image, c: number) => [...data].filter((_, i) => i % 3 === c);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const change = (image: Image, changes: Partial<LightChange>) => changeLight(image, { ...UNCHANGED, ...changes });
const flat = (code: number, size = 64) => drawImage(size, size, () => [code, code, code]);
const ramp = drawImage(256, 3, (x) => [x, 255 - x, x]);

describe("changeLight", () => {
  it("without a change gives the same pixels in new memory", () => {
    const image = noiseImage(31, 17);
    const same = changeLight(image, UNCHANGED);
    expect(same).toEqual(image);
    expect(same.data).not.toBe(image.data);
    expect(changeLight(image, drawChange(31, 17, NO_PHOTOMETRIC, new Random(3)))).toEqual(image);
  });

  it("gives every 8-bit value back where a change is none but for rounding", () => {
    for (const nearly of [{ gamma: 1 + 1e-12 }, { gains: [1 + 1e-12, 1, 1] }, { saturation: 1 + 1e-12 }]) {
      expect(change(ramp, nearly as Partial<LightChange>)).toEqual(ramp);
    }
  });

  it("doubles light with a stop of exposure, until the sensor is full", () => {
    const brighter = change(ramp, { gains: [2, 2, 2] });
    for (let code = 0; code < 256; code++) {
      const wanted = Math.min(255, toCode(2 * toLinear(code)));
      expect(Math.abs(brighter.data[3 * code] - wanted)).toBeLessThan(0.75);
    }
    // The mean of an image's light, with values that stay below full.
    const image = drawImage(64, 64, (x, y) => [x + y, 2 * x, 60 + y]);
    const light = (of: Image) => mean([...of.data].map(toLinear));
    expect(light(change(image, { gains: [2, 2, 2] })) / light(image)).toBeCloseTo(2, 2);
    expect(light(change(image, { gains: [0.5, 0.5, 0.5] })) / light(image)).toBeCloseTo(0.5, 2);
  });

  it("takes gains per channel", () => {
    const image = change(flat(100), { gains: [1.3, 1, 0.6] });
    expect([0, 1, 2].map((c) => image.data[c])).toEqual(
      [1.3, 1, 0.6].map((gain) => Math.round(toCode(gain * toLinear(100)))),
    );
  });

  it("applies gamma to sRGB values", () => {
    const { data } = change(ramp, { gamma: 1.4 });
    for (let x = 0; x < 256; x++) expect(Math.abs(data[3 * x] - 255 * (x / 255) ** 1.4)).toBeLessThan(0.75);
  });

  it("applies contrast about mid grey and keeps black and white", () => {
    const { data } = change(ramp, { contrast: 1.5 });
    const at = (x: number) => data[3 * x];
    expect([at(0), at(255)]).toEqual([0, 255]);
    expect((at(138) - at(117)) / 21).toBeCloseTo(1.5, 1);
    for (let x = 1; x < 256; x++) expect(at(x)).toBeGreaterThanOrEqual(at(x - 1));
    for (let x = 0; x < 128; x++) expect(Math.abs(at(x) + at(255 - x) - 255)).toBeLessThanOrEqual(1);
    const weak = change(ramp, { contrast: 0.6 }).data;
    expect((weak[3 * 138] - weak[3 * 117]) / 21).toBeCloseTo(0.6, 1);
  });

  it("changes saturation about luma, down to grey", () => {
    const image = drawImage(8, 8, () => [180, 100, 60]);
    const luma = 0.2126 * 180 + 0.7152 * 100 + 0.0722 * 60;
    expect([...new Set(change(image, { saturation: 0 }).data)]).toEqual([Math.round(luma)]);
    const [r, g, b] = change(image, { saturation: 1.4 }).data;
    expect([r, g, b]).toEqual([180, 100, 60].map((value) => Math.round(luma + 1.4 * (value - luma))));
  });

  it("blurs light: a point becomes a Gaussian of that width, nothing is lost, flat stays flat", () => {
    const point = drawImage(41, 41, (x, y) => (x === 20 && y === 20 ? [255, 255, 255] : [0, 0, 0]));
    for (const blur of [0.7, 1.2]) {
      const light = channel(change(point, { blur }), 1).map(toLinear);
      const sum = light.reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(1, 1);
      const variance = light.reduce((total, value, i) => total + value * ((i % 41) - 20) ** 2, 0) / sum;
      expect(Math.sqrt(variance)).toBeCloseTo(blur, 1);
      for (const i of [0, 5, 400]) expect(light[840 - i]).toBe(light[840 + i]);
    }
    expect(change(flat(77), { blur: 2.5 })).toEqual(flat(77));
    // Wider than the image: its border goes on.
    const tiny = drawImage(2, 3, () => [200, 100, 50]);
    expect(change(tiny, { blur: 9 })).toEqual(tiny);
  });

  it("continues each border with its own pixels", () => {
    // Left half dark, right half bright in red: far from the edge nothing changes, at the image's border neither.
    const halves = drawImage(40, 10, (x) => (x < 20 ? [20, 120, 220] : [220, 120, 20]));
    const { data } = change(halves, { blur: 1.5 });
    for (const x of [0, 1, 5, 34, 38, 39]) {
      expect([...data.subarray(3 * x, 3 * x + 3)]).toEqual(x < 20 ? [20, 120, 220] : [220, 120, 20]);
    }
    const moved = change(halves, { motion: { length: 4, angle: 0 } }).data;
    for (const x of [0, 1, 5, 34, 38, 39]) expect(moved[3 * x]).toBe(x < 20 ? 20 : 220);
  });

  it.each([0, 0.6, Math.PI / 2, 2.4])("moves along a line in direction %f, about the pixel", (angle) => {
    const point = drawImage(41, 41, (x, y) => (x === 20 && y === 20 ? [255, 255, 255] : [0, 0, 0]));
    const light = channel(change(point, { motion: { length: 9, angle } }), 0).map(toLinear);
    const sum = light.reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(1, 1);
    const moment = (f: (x: number, y: number) => number) =>
      light.reduce((total, value, i) => total + value * f((i % 41) - 20, Math.floor(i / 41) - 20), 0) / sum;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    expect(
      Math.hypot(
        moment((x) => x),
        moment((_, y) => y),
      ),
    ).toBeLessThan(0.05);
    // Variance of an even line is length²/12; between pixels at most 1/4 is added.
    const along = moment((x, y) => (c * x + s * y) ** 2);
    expect(along).toBeGreaterThan(81 / 12 - 0.2);
    expect(along).toBeLessThan(81 / 12 + 0.45);
    expect(moment((x, y) => (c * y - s * x) ** 2)).toBeLessThan(0.3);
  });

  it("adds noise whose variance grows with light from that of reading", () => {
    const [shot, read] = [0.06, 0.01];
    for (const code of [90, 180]) {
      const light = toLinear(code);
      const noisy = change(flat(code, 200), { shotNoise: shot, readNoise: read, noiseSeed: 7 });
      const values = [0, 1, 2].map((c) => channel(noisy, c).map((value) => toLinear(value) - light));
      const wanted = shot ** 2 * light + read ** 2;
      for (const one of values) {
        expect(Math.abs(mean(one)) / Math.sqrt(wanted)).toBeLessThan(0.03);
        expect(mean(one.map((value) => value * value)) / wanted).toBeCloseTo(1, 1);
      }
      // Channels and neighbours have nothing to do with each other.
      const product = (a: number[], b: number[]) => mean(a.map((value, i) => value * b[i])) / wanted;
      expect(Math.abs(product(values[0], values[1]))).toBeLessThan(0.03);
      expect(Math.abs(product(values[0].slice(1), values[0].slice(0, -1)))).toBeLessThan(0.03);
    }
    const seeded = (noiseSeed: number) => change(flat(90), { shotNoise: 0.1, noiseSeed });
    expect(seeded(1)).toEqual(seeded(1));
    expect(seeded(1)).not.toEqual(seeded(2));
    expect(change(flat(0), { shotNoise: 0.1 })).toEqual(flat(0));
  });

  it("throws a shadow with soft edges: half the light inside, all of it outside", () => {
    // Where x < 30.
    const shadow = { edges: Float64Array.of(1, 0, 30), softness: 8, strength: 0.5, inverted: false };
    const row = channel(change(flat(150, 64), { shadow }), 0).slice(0, 64);
    const dark = Math.round(toCode(0.5 * toLinear(150)));
    expect(new Set(row.slice(0, 26))).toEqual(new Set([dark]));
    expect(new Set(row.slice(35))).toEqual(new Set([150]));
    for (let x = 27; x < 35; x++) expect(row[x]).toBeGreaterThan(row[x - 1]);
    expect(toLinear(row[30])).toBeCloseTo(0.75 * toLinear(150), 2);
    const inverted = channel(change(flat(150, 64), { shadow: { ...shadow, inverted: true } }), 0);
    expect([inverted[0], inverted[60]]).toEqual([150, dark]);
  });

  it("refuses an image whose data do not fit", () => {
    expect(() => changeLight({ width: 3, height: 3, data: new Uint8Array(5) }, UNCHANGED)).toThrow(/3×3 RGB needs 27/);
  });
});

describe("drawShadow", () => {
  it("draws closed polygons, as strong and as soft as stated", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { edges, strength, softness } = drawShadow(192, 128, 0.8, new Random(seed));
      expect(strength).toBeGreaterThanOrEqual(0.2);
      expect(strength).toBeLessThan(0.8);
      expect(softness).toBeGreaterThan(1);
      expect(softness).toBeLessThanOrEqual(24);
      // Far away in every direction is outside.
      for (let k = 0; k < 32; k++) {
        const [x, y] = [1e5 * Math.cos((k * Math.PI) / 16), 1e5 * Math.sin((k * Math.PI) / 16)];
        const distances = Array.from({ length: edges.length / 3 }, (_, e) => {
          expect(Math.hypot(edges[3 * e], edges[3 * e + 1])).toBeCloseTo(1, 12);
          return edges[3 * e] * x + edges[3 * e + 1] * y - edges[3 * e + 2];
        });
        expect(Math.max(...distances)).toBeGreaterThan(0);
      }
    }
  });
});

describe("drawChange", () => {
  const draws = (given: Partial<PhotometricOptions>, count = 3000) =>
    Array.from({ length: count }, (_, seed) => drawChange(192, 192, photometricOptions(given), new Random(seed)));
  const range = (values: readonly number[]) => [Math.min(...values), Math.max(...values)];
  const near = ([low, high]: number[], [from, to]: [number, number]) => {
    const slack = 0.02 * (to - from);
    expect(low).toBeGreaterThanOrEqual(from - 1e-9);
    expect(low).toBeLessThan(from + slack);
    expect(high).toBeLessThanOrEqual(to + 1e-9);
    expect(high).toBeGreaterThan(to - slack);
  };

  it("draws over the whole of what is asked and not beyond", () => {
    const all = draws({ exposure: 1.5, whiteBalance: 0.4, gamma: 0.2, contrast: 0.5, saturation: 0.3, grey: 0 });
    near(range(all.map(({ gains }) => Math.log2(gains[1]))), [-1.5, 1.5]);
    near(range(all.map(({ gains }) => Math.log2(gains[0] / gains[1]))), [-0.4, 0.4]);
    near(range(all.map(({ gains }) => Math.log2(gains[2] / gains[1]))), [-0.4, 0.4]);
    near(range(all.map(({ gamma }) => Math.log(gamma))), [-0.2, 0.2]);
    near(range(all.map(({ contrast }) => Math.log(contrast))), [-0.5, 0.5]);
    near(range(all.map(({ saturation }) => saturation)), [0.7, 1.3]);
    near(range(all.flatMap(({ jpeg }) => jpeg ?? [])), [40, 95]);
    near(range(all.map(({ blur }) => blur)), [0, PHOTOMETRIC_DEFAULTS.blur]);
    near(range(all.map(({ motion }) => motion.length)), [0, PHOTOMETRIC_DEFAULTS.motion]);
    near(range(all.map(({ shotNoise }) => shotNoise)), [0, PHOTOMETRIC_DEFAULTS.shotNoise]);
    near(range(all.map(({ readNoise }) => readNoise)), [0, PHOTOMETRIC_DEFAULTS.readNoise]);
    // Each now and then; 1500 ± 27.
    for (const has of [
      (change: LightChange) => change.shadow !== null,
      (change: LightChange) => change.jpeg !== null,
      (change: LightChange) => change.shotNoise > 0,
    ]) {
      expect(Math.abs(all.filter(has).length - 1500)).toBeLessThan(140);
    }
    expect(Math.abs(draws({ grey: 0.3 }).filter(({ saturation }) => saturation === 0).length - 900)).toBeLessThan(125);
  });

  it("leaves out what has no strength or no chance", () => {
    for (const { blur, motion, shotNoise, readNoise, jpeg, shadow } of [
      ...draws({ chance: 0 }, 50),
      ...draws({ chance: 1, blur: 0, motion: 0, shotNoise: 0, readNoise: 0, jpegQuality: 100, shadow: 0 }, 50),
    ]) {
      expect([blur, motion.length, shotNoise, readNoise, jpeg, shadow]).toEqual([0, 0, 0, 0, null, null]);
    }
    expect(draws({ chance: 1, jpegQuality: 97 }, 5).map(({ jpeg }) => jpeg)).toEqual([95, 95, 95, 95, 95]);
  });

  it("draws each change by itself: other options leave the rest as it was", () => {
    const [some, none] = [new Random(9), new Random(9)];
    const change = drawChange(192, 192, photometricOptions(), some);
    drawChange(192, 192, NO_PHOTOMETRIC, none);
    expect(some.save()).toEqual(none.save());
    const other = drawChange(192, 192, photometricOptions({ blur: 0, exposure: 0, jpegQuality: 100 }), new Random(9));
    expect(other.shadow).toEqual(change.shadow);
    expect(other.motion).toEqual(change.motion);
    expect(other.noiseSeed).toBe(change.noiseSeed);
    expect(other.gains[0] / other.gains[1]).toBeCloseTo(change.gains[0] / change.gains[1], 12);
  });
});

describe("photometricOptions", () => {
  it.each([
    [{ exposure: -1 }, /"exposure"/],
    [{ gamma: 3 }, /"gamma"/],
    [{ contrast: Number.NaN }, /"contrast"/],
    [{ whiteBalance: 9 }, /"whiteBalance"/],
    [{ saturation: 2 }, /"saturation"/],
    [{ grey: 2 }, /"grey"/],
    [{ chance: 1.5 }, /"chance"/],
    [{ blur: 11 }, /"blur"/],
    [{ motion: -2 }, /"motion"/],
    [{ shotNoise: 2 }, /"shotNoise"/],
    [{ readNoise: "1" }, /"readNoise"/],
    [{ jpegQuality: 0 }, /"jpegQuality"/],
    [{ jpegQuality: 50.5 }, /"jpegQuality"/],
    [{ shadow: 1.01 }, /"shadow"/],
    [{ rain: 1 }, /unknown option "rain"/],
  ] as [Partial<PhotometricOptions>, RegExp][])("refuses %j", (given, message) => {
    expect(() => photometricOptions(given)).toThrow(OptionError);
    expect(() => photometricOptions(given)).toThrow(message);
  });
});
