import { existsSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { afterAll, beforeEach, expect, it } from "vitest";
import type { Features } from "../../../src/features.js";
import type { ImagePair } from "../../../src/formats/colmap.js";
import type { VerifiedPair } from "../../../src/formats/colmap-results.js";
import { exportColmap } from "../../../src/node/colmap/export-colmap.js";
import {
  type VerifyManyOptions,
  type VerifyProgress,
  verifiedPath,
  verifyMany,
} from "../../../src/node/verify-many.js";
import { temporaryFolder } from "../cli/fake.js";
import { sampleFeatures } from "../formats/samples.js";

let folder = temporaryFolder();
beforeEach(() => {
  folder.remove();
  folder = temporaryFolder();
});
afterAll(() => folder.remove());
const out = () => folder.path("planes.db");

/** A plane, moved views of it, and something else, which has no homography. */
const plane = sampleFeatures(40);
const moved = (by: number): Features => ({
  ...plane,
  keypoints: plane.keypoints.map((v, i) => 1.1 * v + by * (i % 2)),
});
const FEATURES = new Map([
  ["a", plane],
  ["b", moved(3)],
  ["c", moved(7)],
  ["d", sampleFeatures(12, { seed: 8 })],
]);
const some = (count: number) => ({
  count,
  pairs: Uint32Array.from({ length: 2 * count }, (_, i) => i >> 1),
  scores: new Float32Array(count).fill(1),
});
const PAIRS: ImagePair[] = [
  { name0: "a", name1: "b", matches: some(40) },
  { name0: "a", name1: "c", matches: some(40) },
  { name0: "c", name1: "d", matches: some(12) },
  { name0: "b", name1: "c", matches: some(0) },
];
const homography = { threshold: 3, seed: 0, minInliers: 15 };

async function run(options: VerifyManyOptions = {}, write = async (pairs: VerifiedPair[]) => pairs) {
  const told: VerifyProgress[] = [];
  const onProgress = (progress: VerifyProgress) => {
    told.push(progress);
    options.onProgress?.(progress);
  };
  const pairs = await verifyMany(FEATURES, PAIRS, out(), write, { homography, ...options, onProgress });
  return { pairs, last: told.at(-1) };
}

async function stopAfter(count: number): Promise<void> {
  const stop = new AbortController();
  const onProgress = ({ verified }: VerifyProgress) => verified === count && stop.abort(new Error("stopped"));
  await expect(run({ signal: stop.signal, onProgress: (progress) => void onProgress(progress) })).rejects.toThrow(
    "stopped",
  );
}

it("stopped after any pair, the next run computes the rest and gives the same", async () => {
  const whole = (await run()).pairs;
  expect(whole.map(({ verified }) => verified?.inliers.length)).toEqual([40, 40, 0, 0]);
  expect(readdirSync(folder.path("."))).toEqual([]);
  for (let count = 1; count <= PAIRS.length; count++) {
    await stopAfter(count);
    const { pairs, last } = await run();
    expect(pairs).toEqual(whole);
    expect(last).toEqual({ total: 4, verified: 4 - count, skipped: count });
    expect(readdirSync(folder.path("."))).toEqual([]);
  }
});

it("killed in the middle of a record, it loses that pair only", async () => {
  await stopAfter(3);
  const path = await verifiedPath(out());
  truncateSync(path, readFileSync(path).length - 1);
  expect((await run()).last).toMatchObject({ verified: 2, skipped: 2 });
});

it("takes nothing that was computed otherwise", async () => {
  await stopAfter(4);
  expect((await run({ homography: { ...homography, threshold: 2 } })).last).toMatchObject({ verified: 4, skipped: 0 });
});

it("keeps what it has when the output cannot be written, and leaves nothing of nothing", async () => {
  const fail = async () => {
    throw new Error("no room");
  };
  await expect(run({}, fail)).rejects.toThrow("no room");
  expect((await run()).last).toMatchObject({ verified: 0, skipped: 4 });
  await stopAfter(0);
  expect(existsSync(await verifiedPath(out()))).toBe(false);
});

it("is alone at its output", async () => {
  const { pairs: error } = await run({}, async () => {
    return (await run().catch((cause: unknown) => cause)) as VerifiedPair[];
  });
  expect(String(error)).toContain("is at work in");
});

it("serves exportColmap: stopped, it writes nothing and keeps what is verified; then the database is the same", async () => {
  const results = { features: FEATURES, pairs: PAIRS };
  const whole = folder.path("whole.db");
  await exportColmap(results, whole, { verify: "homography" });
  const stop = new AbortController();
  const onVerified = ({ verified }: VerifyProgress) => verified === 2 && stop.abort(new Error("stopped"));
  const stopped = exportColmap(results, out(), {
    verify: "homography",
    signal: stop.signal,
    onVerified: (p) => void onVerified(p),
  });
  await expect(stopped).rejects.toThrow("stopped");
  expect([existsSync(out()), existsSync(await verifiedPath(out()))]).toEqual([false, true]);
  let last: VerifyProgress | undefined;
  const result = await exportColmap(results, out(), {
    verify: "homography",
    onVerified: (progress) => (last = progress),
  });
  expect(last).toEqual({ total: 4, verified: 2, skipped: 2 });
  expect(result).toMatchObject({ verifiedPairs: 2, inliers: 80 });
  expect(readFileSync(out())).toEqual(readFileSync(whole));
  expect(existsSync(await verifiedPath(out()))).toBe(false);
});
