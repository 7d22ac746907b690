/** The tracker over rendered frames: found, followed, lost, predicted; beside frames that do not wait; and what it refuses. */
import { beforeAll, describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import { imageCorners, projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import { compileTarget, createDetector, createTracker, type Target, type Tracker } from "../../../src/track/index.js";
import { meanCornerDistance } from "../../../src/track/plane.js";
import { cornerExtractor, drawPoster, placed, showPoster } from "./drawn.js";

const poster = drawPoster(1);
const extractor = cornerExtractor();
/** Pixels between two equal places of a picture that repeats itself. */
const PERIOD = 50;
let target: Target;
beforeAll(async () => {
  target = await compileTarget(poster, extractor, { name: "poster", physicalWidth: 0.4 });
});

const truth = (h: Float64Array, image: Image = poster) => projectPoints(h, imageCorners([image.width, image.height]));
/** A way to the right, 4 pixels a frame, turning and growing a little. */
const way = (k: number) => placed(poster, 130 + 4 * k, 120, 0.75 + 0.005 * k, 2 * k, 2e-4);

describe("createTracker", () => {
  it("finds a picture, follows it without searching, and says where it is to a fraction of a pixel", async () => {
    const tracker = createTracker({ targets: [target], extractor });
    const before = extractor.extracted;
    for (let k = 0; k < 10; k++) {
      const { targets, searched, frame } = await tracker.process(showPoster(poster, way(k), { noise: 3, seed: k }));
      const [found] = targets;
      expect([frame, found.state, searched]).toEqual([k, k === 0 ? "found" : "tracked", k === 0]);
      expect(meanCornerDistance(truth(way(k)), found.corners as Float64Array)).toBeLessThan(0.6);
      expect(found.predicted).toBe(false);
      expect(found.confidence).toBeGreaterThan(0.6);
      expect(found.pose?.length).toBe(16);
      expect(
        meanCornerDistance(
          projectPoints(found.homography as Float64Array, imageCorners(target.size)),
          found.corners as Float64Array,
        ),
      ).toBeLessThan(1e-6);
    }
    expect(extractor.extracted - before).toBe(1);
  });

  it("takes grey, RGB and RGBA frames alike", async () => {
    const frame = showPoster(poster, way(3));
    const { width, height, data } = frame;
    const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < width * height; i++) {
      rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
      grey[i] = (77 * data[3 * i] + 150 * data[3 * i + 1] + 29 * data[3 * i + 2] + 128) >> 8;
    }
    for (const pixels of [data, rgba, grey]) {
      const [found] = (await createTracker({ targets: [target], extractor }).process({ width, height, data: pixels }))
        .targets;
      expect(meanCornerDistance(truth(way(3)), found.corners as Float64Array)).toBeLessThan(0.5);
    }
  });

  it("follows a picture that is half covered, and in other light", async () => {
    const tracker = createTracker({ targets: [target], extractor });
    for (const [k, look] of [{}, { cover: 0.3 }, { cover: 0.45 }, { gain: 0.5 }, { gain: 1.3 }].entries()) {
      const [found] = (await tracker.process(showPoster(poster, way(k), { ...look, noise: 2, seed: k }))).targets;
      expect(found.state).not.toBe("lost");
      expect(meanCornerDistance(truth(way(k)), found.corners as Float64Array)).toBeLessThan(1.5);
    }
  });

  it("shows nothing where the picture is not, not even another picture in its place", async () => {
    const tracker = createTracker({ targets: [target], extractor });
    for (let seed = 40; seed < 60; seed++) {
      const [found] = (await tracker.process(showPoster(drawPoster(seed), way(2)))).targets;
      expect(found).toMatchObject({ state: "lost", corners: null, homography: null, pose: null, confidence: 0 });
    }
  });

  it("predicts the place of a picture that is out of sight for a moment, then loses it", async () => {
    const tracker = createTracker({ targets: [target], extractor, missTolerance: 2 });
    for (let k = 0; k < 4; k++) await tracker.process(showPoster(poster, way(k)));
    const states = [];
    for (let k = 4; k < 8; k++) {
      const [found] = (await tracker.process(showPoster(poster, null))).targets;
      states.push(found.predicted ? "predicted" : found.state);
      if (found.predicted) {
        expect(found).toMatchObject({ state: "tracked", confidence: 0 });
        expect(meanCornerDistance(truth(way(k)), found.corners as Float64Array)).toBeLessThan(4);
      }
    }
    expect(states).toEqual(["predicted", "predicted", "lost", "lost"]);
    const [again] = (await tracker.process(showPoster(poster, way(0)))).targets;
    expect(again.state).toBe("found");
  });

  it("does not predict a picture that has left the frame", async () => {
    const tracker = createTracker({ targets: [target], extractor, missTolerance: 5 });
    const leaving = (k: number) => placed(poster, 160 + 45 * k, 120, 0.75);
    for (let k = 0; k < 5; k++) await tracker.process(showPoster(poster, leaving(k)));
    const [gone] = (await tracker.process(showPoster(poster, null))).targets;
    expect(gone.state).toBe("lost");
  });

  it("says found only after as many frames as warmupTolerance asks for", async () => {
    const tracker = createTracker({ targets: [target], extractor, warmupTolerance: 3 });
    const states = [];
    for (let k = 0; k < 4; k++) states.push((await tracker.process(showPoster(poster, way(k)))).targets[0].state);
    expect(states).toEqual(["lost", "lost", "found", "tracked"]);
  });

  it("follows several pictures, no more at once than maxTrack", async () => {
    const second = drawPoster(2);
    const targets = [target, await compileTarget(second, extractor), await compileTarget(drawPoster(3), extractor)];
    const frame = showPoster(poster, placed(poster, 90, 70, 0.6), { size: [420, 320] });
    const both = showPoster(second, placed(second, 290, 220, 0.6), { size: [420, 320] });
    // Of the second frame everything but the first one's corner.
    for (let y = 0; y < 140; y++) both.data.set(frame.data.subarray(3 * 420 * y, 3 * (420 * y + 180)), 3 * 420 * y);
    const states = async (maxTrack: number) => {
      const tracker = createTracker({ targets, extractor, maxTrack });
      return (await tracker.process(both)).targets.map(({ state }) => state);
    };
    expect(await states(3)).toEqual(["found", "found", "lost"]);
    expect((await states(1)).filter((state) => state === "found")).toHaveLength(1);
  });

  it("is not disturbed by another tracker whose frames come in between", async () => {
    const other = drawPoster(2);
    const frames = (picture: Image) => [0, 1, 2].map((k) => showPoster(picture, way(k), { noise: 3, seed: k }));
    const seen = async (tracker: Tracker, frame: Image) => (await tracker.process(frame)).targets;
    const make = () => createTracker({ targets: [target], extractor });
    const alone = make();
    const expected = [];
    for (const frame of frames(poster)) expected.push(await seen(alone, frame));
    const [mine, theirs] = [make(), createTracker({ targets: [await compileTarget(other, extractor)], extractor })];
    const both = frames(poster).map((frame, k) => Promise.all([seen(theirs, frames(other)[k]), seen(mine, frame)]));
    for (const [k, pair] of both.entries()) expect((await pair)[1]).toEqual(expected[k]);
  });

  it("gives the same answer for the same frames, and begins anew after reset and with another size", async () => {
    const tracker = createTracker({ targets: [target], extractor });
    const frame = showPoster(poster, way(1), { noise: 3 });
    const [first] = (await tracker.process(frame)).targets;
    tracker.reset();
    const [second] = (await tracker.process(frame)).targets;
    expect(second).toEqual(first);
    const [other] = (await tracker.process(showPoster(poster, way(1), { size: [300, 240] }))).targets;
    expect(other.state).toBe("found");
    expect(tracker.camera).toMatchObject({ cx: 149.5, cy: 119.5, assumed: true });
  });
});

describe("a target that is followed where it is not", () => {
  /** Mostly squares of one pattern, a period apart, beside a strip that tells where they are. */
  const repeated = (() => {
    const picture = drawPoster(5);
    const tile = drawPoster(6, PERIOD, PERIOD, 12);
    for (let y = 0; y < picture.height; y++) {
      for (let x = 60; x < picture.width; x++) {
        const from = 3 * ((y % PERIOD) * PERIOD + (x % PERIOD));
        picture.data.set(tile.data.subarray(from, from + 3), 3 * (y * picture.width + x));
      }
    }
    return picture;
  })();

  const right = placed(repeated, 160, 120);
  /** Rendered once: one frame and its noise after the other, again and again. */
  const frames = [0, 1].map((seed) => showPoster(repeated, right, { noise: 2, seed }));

  it.each(["wait", "background"] as const)('is found where it is by another search ("%s")', async (detection) => {
    const own = await compileTarget(repeated, extractor);
    const asked: number[] = [];
    let frame = 0;
    const detector = {
      async detect() {
        asked.push(frame);
        const homography = asked.length === 1 ? placed(repeated, 160, 120 + PERIOD) : right;
        return { detections: [{ target: 0, homography }], times: { extract: 0, search: 0 } };
      },
    };
    const tracker = createTracker({ targets: [own], detector, detection });
    const errors: number[] = [];
    const states = new Set<string>();
    for (; frame < 130; frame++) {
      const { targets } = await tracker.process(frames[frame % 2]);
      if (targets[0].corners) errors.push(meanCornerDistance(truth(right, repeated), targets[0].corners));
      if (frame > 3) states.add(targets[0].state);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(errors[0]).toBeGreaterThan(PERIOD / 2);
    expect(errors.at(-1)).toBeLessThan(0.3);
    expect([...states]).toEqual(["tracked"]);
    // Once it is where it should be, nothing is searched for any more.
    expect(asked).toHaveLength(2);
    expect(asked[1]).toBeGreaterThanOrEqual(15);
  });

  it("stays where patches agree better than where a search has it", async () => {
    let searches = 0;
    const detector = {
      async detect() {
        const homography = searches++ === 0 ? way(0) : placed(poster, 150, 120, 0.7, 90);
        return { detections: [{ target: 0, homography }], times: { extract: 0, search: 0 } };
      },
    };
    const tracker = createTracker({ targets: [target], detector });
    const [free, covered] = [0, 0.55].map((cover) => showPoster(poster, way(0), { cover }));
    for (let k = 0; k < 40; k++) {
      const { targets } = await tracker.process(k === 0 ? free : covered);
      expect(meanCornerDistance(truth(way(0)), targets[0].corners as Float64Array)).toBeLessThan(1.5);
    }
    expect(searches).toBeGreaterThan(1);
  });
});

describe('detection: "background"', () => {
  it("never waits for a search, and brings what it finds to the present frame", async () => {
    let finish = () => {};
    const slow = cornerExtractor(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const tracker = createTracker({ targets: [target], extractor: slow, detection: "background" });
    for (let k = 0; k < 5; k++) {
      const { targets, searched } = await tracker.process(showPoster(poster, way(k)));
      expect([targets[0].state, searched]).toEqual(["lost", k === 0]);
    }
    finish();
    await new Promise((resolve) => setImmediate(resolve));
    const states = [];
    for (let k = 5; k < 9; k++) {
      const { targets } = await tracker.process(showPoster(poster, way(k)));
      states.push(targets[0].state);
      if (targets[0].corners) expect(meanCornerDistance(truth(way(k)), targets[0].corners)).toBeLessThan(0.8);
    }
    expect(states.indexOf("found")).toBeGreaterThanOrEqual(0);
    expect(states.indexOf("found")).toBeLessThan(3);
    expect(states.at(-1)).toBe("tracked");
    expect(slow.extracted).toBe(1);
  });

  it("tells a failed search with the next frame, and goes on", async () => {
    let fails = true;
    const failing = cornerExtractor(async () => {
      if (fails) throw new Error("no memory");
    });
    const tracker = createTracker({ targets: [target], extractor: failing, detection: "background" });
    const frame = showPoster(poster, way(0));
    await tracker.process(frame);
    await new Promise((resolve) => setImmediate(resolve));
    await expect(tracker.process(frame)).rejects.toThrow("no memory");
    fails = false;
    for (let k = 0; k < 3; k++) {
      await tracker.process(frame);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await tracker.process(frame)).targets[0].state).toBe("tracked");
  });

  it("works with a detector of its own, as a page has it in a worker", async () => {
    const { name, model, features } = structuredClone({
      name: target.name,
      model: target.model,
      features: target.features,
    });
    const detector = createDetector([{ name, model, features }], extractor);
    const tracker = createTracker({ targets: [target], detector });
    expect((await tracker.process(showPoster(poster, way(0)))).targets[0].state).toBe("found");
  });
});

describe("what a tracker refuses", () => {
  const make = (options: object) => () => createTracker({ targets: [target], extractor, ...options } as never);

  it.each([
    [{ targets: [] }, /"targets" is empty/],
    [{ targets: [{}] }, /targets\[0\] is no target/],
    [{ targets: undefined }, /targets must be an array/],
    [{ extractor: undefined }, /an extractor is needed/],
    [
      { extractor: cornerExtractor(undefined, { model: "other", sha256: "d1", dim: 64 }) },
      /compiled with the model corners .*is of other/,
    ],
    [{ maxTrack: 0 }, /"maxTrack" must be a whole number ≥ 1, got 0/],
    [{ missTolerance: -1 }, /"missTolerance"/],
    [{ filterBeta: "high" }, /"filterBeta" must be a number/],
    [{ detection: "worker" }, /"detection" must be one of wait, background/],
    [{ intrinsics: { fx: 0, fy: 1, cx: 1, cy: 1 } }, /"intrinsics.fx" must be a number above 0/],
    [{ warmUp: 3 }, /unknown option "warmUp"/],
  ])("%j", (options, message) => {
    expect(make(options)).toThrow(OptionError);
    expect(make(options)).toThrow(message);
  });

  it.each([
    [{ width: 0, height: 0, data: new Uint8Array(0) }, /the frame is 0×0; a camera or video that has not begun/],
    [{ width: 4, height: 4, data: new Uint8Array(20) }, /1, 3 or 4 values each \(grey, RGB, RGBA\), got 20 bytes/],
    [{ width: 4, height: 4, data: [1, 2] }, /must be bytes/],
    [{ width: 2.5, height: 4, data: new Uint8Array(10) }, /whole and positive/],
  ])("a frame %#", async (frame, message) => {
    const tracker = createTracker({ targets: [target], extractor });
    await expect(tracker.process(frame as never)).rejects.toThrow(ShapeError);
    await expect(tracker.process(frame as never)).rejects.toThrow(message);
    // The next frame is processed all the same.
    expect((await tracker.process(showPoster(poster, way(0)))).targets[0].state).toBe("found");
  });
});
