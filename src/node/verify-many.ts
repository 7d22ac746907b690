/**
 * Homographies of many pairs of images. Each is added to a log (record-log.ts) beside the output as soon as it is found, by the
 * digest of all that decides it: whatever stops a run, the next one takes from there what is the same, and computes the rest.
 */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import type { Features, Homography } from "../features.js";
import type { ImagePair } from "../formats/colmap.js";
import type { VerifiedPair } from "../formats/colmap-results.js";
import { bytesOf } from "../formats/ndarray.js";
import type { HomographyOptions } from "../geometry/homography.js";
import { verifyMatches } from "../geometry/two-view.js";
import { contentDigest } from "./content-digest.js";
import { followLinks } from "./links.js";
import { lockBeside, withLock } from "./lock.js";
import { beside } from "./parts.js";
import { RecordLog } from "./record-log.js";
import { packageVersion } from "./version.js";

export interface VerifyManyOptions {
  /** How homographies are estimated. */
  homography?: HomographyOptions;
  /** Stops the run between two pairs: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called before the first pair that is computed, and after each. */
  onProgress?(progress: VerifyProgress): void;
}

/** How far a run is: numbers of pairs. */
export interface VerifyProgress {
  total: number;
  /** In this run. */
  verified: number;
  /** Finished before. */
  skipped: number;
}

/** Milliseconds of estimating after which the process gets a turn of its own: for signals, which need one. */
const TURN = 20;

/** Where the pairs of a run that was stopped wait, beside the file or folder that they are for. */
export const verifiedPath = async (out: string): Promise<string> =>
  beside(await followLinks(resolve(out)), ".verified");

/**
 * Verifies `pairs` of `features`, hands them to `write`, which makes `out` of them, and then removes what was kept for the
 * case of a stop. An IoError where another process is at work on `out`.
 */
export async function verifyMany<T>(
  features: ReadonlyMap<string, Features>,
  pairs: readonly ImagePair[],
  out: string,
  write: (verified: VerifiedPair[]) => Promise<T>,
  options: VerifyManyOptions = {},
): Promise<T> {
  return withLock(await lockBeside(out), out, async () => {
    const path = await verifiedPath(out);
    const places = new Map<string, number>();
    const log = await RecordLog.open(path, ({ key }, place) => places.set(key, place));
    let verified: VerifiedPair[];
    try {
      verified = await verifyAll(log, places, features, pairs, options);
    } finally {
      await log.close();
      // Nothing is kept of nothing.
      if (places.size === 0) await rm(path, { force: true });
    }
    const result = await write(verified);
    await rm(path, { force: true });
    return result;
  });
}

async function verifyAll(
  log: RecordLog,
  places: Map<string, number>,
  features: ReadonlyMap<string, Features>,
  pairs: readonly ImagePair[],
  { homography = {}, signal, onProgress }: VerifyManyOptions,
): Promise<VerifiedPair[]> {
  const digests = new Map([...features].map(([name, one]) => [name, contentDigest(one)]));
  const how = contentDigest({ strata: packageVersion(), ...homography });
  const keys = pairs.map(({ name0, name1, matches }) =>
    [digests.get(name0), digests.get(name1), contentDigest(matches), how].join(" "),
  );
  const progress = { total: pairs.length, verified: 0, skipped: keys.filter((key) => places.has(key)).length };
  onProgress?.({ ...progress });
  const done: VerifiedPair[] = [];
  let turn = performance.now();
  for (const [k, pair] of pairs.entries()) {
    const place = places.get(keys[k]);
    if (place !== undefined) {
      done.push({ ...pair, verified: homographyOf(log.read(place).body) });
      continue;
    }
    signal?.throwIfAborted();
    const [a, b] = [features.get(pair.name0) as Features, features.get(pair.name1) as Features];
    const { matrix, inliers } = await verifyMatches(a, b, pair.matches, homography);
    const verified = { matrix, inliers };
    places.set(keys[k], await log.append({ key: keys[k], body: bodyOf(verified) }));
    done.push({ ...pair, verified });
    progress.verified++;
    onProgress?.({ ...progress });
    if (performance.now() - turn < TURN) continue;
    await new Promise(setImmediate);
    turn = performance.now();
  }
  signal?.throwIfAborted();
  return done;
}

/** Nine float64, or none, and the indices of the inliers: there are none without a matrix. */
function bodyOf({ matrix, inliers }: Homography): Uint8Array {
  if (!matrix) return new Uint8Array(0);
  const body = new Uint8Array(matrix.byteLength + inliers.byteLength);
  body.set(bytesOf(matrix));
  body.set(bytesOf(inliers), matrix.byteLength);
  return body;
}

function homographyOf(body: Uint8Array): Homography {
  if (body.length === 0) return { matrix: null, inliers: new Uint32Array(0) };
  const { buffer } = body.slice();
  return { matrix: new Float64Array(buffer, 0, 9), inliers: new Uint32Array(buffer, 72) };
}
