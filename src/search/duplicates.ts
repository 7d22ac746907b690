/** Pictures of an index that show the same: found by searching it for each of its own. */

import type { VerdictModel } from "../geometry/verdict.js";
import { checkNumber, withDefaults } from "../options.js";
import { checkIndex } from "./check.js";
import type { ImageIndex } from "./image-index.js";
import type { FoundGeometry } from "./verify.js";

/** How duplicates are looked for. */
export interface DuplicateOptions {
  /** Least part of the smaller picture that the other one shows, 0 to 1; default 0.5. */
  overlap?: number;
  /** Candidates of each picture whose geometry is verified; default 10. */
  verify?: number;
  /** Default: the index's. */
  verdict?: VerdictModel;
  /** Stops between two pictures with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each picture. */
  onProgress?: (done: number, total: number) => void;
}

/** Why two pictures are in a group: the same file; the same picture; one is a part of the other; they overlap. */
export const DUPLICATE_REASONS = ["identical", "same", "part", "overlap"] as const;
/** Why two pictures are in a group. */
export type DuplicateReason = (typeof DUPLICATE_REASONS)[number];

/** Two pictures that show the same. */
export interface DuplicatePair {
  /** Of "part": a is the part. */
  a: string;
  b: string;
  reason: DuplicateReason;
  probability: number;
  inliers: number;
  /** Parts of a and of b that the other one shows, 0 to 1; null for identical files that were not verified. */
  shared: [number, number] | null;
  geometry: FoundGeometry | null;
}

/** Pictures that show the same, directly or by way of others. */
export interface DuplicateGroup {
  /** Sorted. */
  ids: string[];
  pairs: DuplicatePair[];
}

/** From this share on of both, pictures are the same. */
const SAME_SHARE = 0.9;
const NO_DIGEST = /^0*$/;

/** Groups of pictures that show the same, the largest first. Nothing is changed. */
export async function findDuplicates(index: ImageIndex, options: DuplicateOptions = {}): Promise<DuplicateGroup[]> {
  const where = "findDuplicates";
  const given = withDefaults<DuplicateOptions>(
    where,
    { overlap: 0.5, verify: 10, verdict: undefined, signal: undefined, onProgress: undefined },
    options,
  );
  checkIndex(where, index);
  const { verdict, signal, onProgress } = given;
  const overlap = checkNumber(where, "overlap", given.overlap, { min: 0, max: 1 });
  const verify = checkNumber(where, "verify", given.verify, { min: 1, integer: true });
  const entries = await index.entries();
  const ids = [...entries.keys()].sort();
  const pairs = new Map<string, DuplicatePair>();
  const byDigest = new Map<string, string>();
  for (const id of ids) {
    const digest = entries.get(id) ?? "";
    if (NO_DIGEST.test(digest)) continue;
    const first = byDigest.get(digest);
    if (first === undefined) byDigest.set(digest, id);
    else pairs.set(keyOf(first, id), identical(first, id));
  }
  for (const [done, id] of ids.entries()) {
    signal?.throwIfAborted();
    const features = await index.features(id);
    if (features && features.count > 0) {
      const { results } = await index.search(features, {
        ...{ top: verify, verify, patience: 3, signal, among: (other: string) => other !== id },
        ...(verdict && { verdict }),
      });
      for (const { id: other, found, geometry, inliers, probability } of results) {
        const key = keyOf(id, other);
        if (!found || !geometry || pairs.has(key)) continue;
        const judged = judge(other, id, features.imageSize, geometry);
        if (Math.max(...judged.shared) >= overlap) pairs.set(key, { ...judged, inliers, probability });
      }
    }
    onProgress?.(done + 1, ids.length);
  }
  return groups([...pairs.values()]);
}

const keyOf = (a: string, b: string): string => JSON.stringify(a < b ? [a, b] : [b, a]);

const identical = (a: string, b: string): DuplicatePair => ({
  ...{ a, b, reason: "identical" as const, probability: 1, inliers: 0, shared: null, geometry: null },
});

/** Which of the two shows how much of the other; `geometry` leads from a to b. */
function judge(
  a: string,
  b: string,
  sizeB: readonly [number, number],
  geometry: FoundGeometry,
): Pick<DuplicatePair, "a" | "b" | "reason" | "geometry"> & { shared: [number, number] } {
  const whole = polygonArea(geometry.corners);
  const common = polygonArea(clipToImage(geometry.corners, sizeB));
  const shared: [number, number] = [
    whole > 0 ? Math.min(1, common / whole) : 0,
    Math.min(1, common / ((sizeB[0] - 1) * (sizeB[1] - 1) || 1)),
  ];
  const [ofA, ofB] = shared.map((share) => share >= SAME_SHARE);
  const reason = ofA && ofB ? "same" : ofA || ofB ? "part" : "overlap";
  if (reason === "part" && ofB && !ofA) {
    // The other way round: b is the part of a.
    return { a: b, b: a, reason, geometry: null, shared: [shared[1], shared[0]] };
  }
  return { a, b, reason, geometry, shared };
}

/** Area of a polygon x0, y0, x1, y1, …, whichever way round. */
function polygonArea(points: readonly number[]): number {
  let sum = 0;
  const n = points.length;
  for (let k = 0; k < n; k += 2) sum += points[k] * points[(k + 3) % n] - points[(k + 2) % n] * points[k + 1];
  return Math.abs(sum) / 2;
}

/** The part of a convex polygon that lies in an image (Sutherland and Hodgman 1974). */
function clipToImage(corners: readonly number[], [width, height]: readonly [number, number]): number[] {
  let points = [...corners];
  // a·x + b·y + c ≥ 0 on the inner side of each edge.
  for (const [a, b, c] of [
    [1, 0, 0],
    [-1, 0, width - 1],
    [0, 1, 0],
    [0, -1, height - 1],
  ]) {
    const kept: number[] = [];
    for (let k = 0; k < points.length; k += 2) {
      const [x, y] = [points[k], points[k + 1]];
      const [u, v] = [points[(k + 2) % points.length], points[(k + 3) % points.length]];
      const [here, there] = [a * x + b * y + c, a * u + b * v + c];
      if (here >= 0) kept.push(x, y);
      if (here >= 0 !== there >= 0) {
        const t = here / (here - there);
        kept.push(x + t * (u - x), y + t * (v - y));
      }
    }
    points = kept;
  }
  return points;
}

/** Pictures that pairs lead to from each other. */
function groups(pairs: readonly DuplicatePair[]): DuplicateGroup[] {
  const parent = new Map<string, string>();
  const root = (id: string): string => {
    let at = id;
    for (let up = parent.get(at); up !== undefined && up !== at; up = parent.get(at)) at = up;
    return at;
  };
  for (const { a, b } of pairs) {
    for (const id of [a, b]) if (!parent.has(id)) parent.set(id, id);
    const [one, other] = [root(a), root(b)].sort();
    parent.set(other, one);
  }
  const found = new Map<string, DuplicateGroup>();
  for (const id of [...parent.keys()].sort()) {
    const key = root(id);
    const group = found.get(key) ?? { ids: [], pairs: [] };
    group.ids.push(id);
    found.set(key, group);
  }
  for (const pair of pairs) found.get(root(pair.a))?.pairs.push(pair);
  return [...found.values()].sort((x, y) => y.ids.length - x.ids.length || (x.ids[0] < y.ids[0] ? -1 : 1));
}
