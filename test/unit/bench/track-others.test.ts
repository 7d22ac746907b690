/** What a tracker says to pictures that are none of its targets: counted over frames that a test can know. */
import { beforeAll, describe, expect, it } from "vitest";
import { isJudged } from "../../../src/bench/track/metrics.js";
import { makeVideo } from "../../../src/bench/track/video.js";
import { goodFrames, trackCrowd, trackerOpener, trackOthers } from "../../../src/node/bench/track-others.js";
import { compileTarget, type Target } from "../../../src/track/index.js";
import { cornerExtractor, drawPoster } from "../track/drawn.js";

const extractor = cornerExtractor();
const open = trackerOpener(extractor);
const [picture, other] = [drawPoster(1), drawPoster(2)];
const background = { width: 64, height: 48, data: new Uint8Array(3 * 64 * 48).fill(90) };
let targets: Target[];
beforeAll(async () => {
  targets = [
    await compileTarget(picture, extractor, { name: "a" }),
    await compileTarget(other, extractor, { name: "b" }),
  ];
});

describe("frames of other pictures", () => {
  it("are spread over those that show the video's picture well", () => {
    const video = makeVideo(picture, background, background, { seed: 3 });
    const frames = goodFrames(video, 7);
    expect(frames).toHaveLength(7);
    expect(frames.every((f, k) => isJudged(video.truths[f]) && (k === 0 || f > frames[k - 1]))).toBe(true);
    expect(frames[6] - frames[0]).toBeGreaterThan(video.truths.length / 2);
  });

  it("have no outline, and those of a target in another's place are counted", async () => {
    async function* shown() {
      yield { picture: other, background, seed: 3 };
    }
    let told = 0;
    const figures = await trackOthers(open, targets.slice(0, 1), shown(), () => told++);
    expect([figures, told]).toEqual([{ pictures: 1, frames: 5, outlined: 0 }, 1]);
    async function* itself() {
      yield { picture, background, seed: 3 };
    }
    expect((await trackOthers(open, targets, itself(), () => {})).outlined).toBeGreaterThan(0);
  });

  it("are searched for one target and for all", async () => {
    const video = makeVideo(picture, background, background, { seed: 3 });
    const { targets: count, frames, found, search } = await trackCrowd(open, targets, video, 8);
    expect([count, frames]).toEqual([2, 8]);
    expect(found.many).toBe(found.one);
    expect(found.one).toBeGreaterThan(0);
    expect(search.one).toBeGreaterThan(0);
  });
});
