/**
 * `npm run bench geometry`: our robust estimator of homographies and OpenCV 5's USAC MAGSAC on the same matches, in one
 * run: pairs of photographs with a known homography, drawn pairs with more and more wrong matches, and mirrored maps.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openBaseline } from "../src/bench/baselines.js";
import type { Features, Matches } from "../src/features.js";
import { cornerError } from "../src/geometry/corner-error.js";
import { estimateHomography } from "../src/geometry/homography.js";
import { type Matrix3, projectPoints } from "../src/geometry/matrix3.js";
import { matchedPoints } from "../src/match/points.js";
import { openSequences } from "../src/node/bench/sequences.js";
import { type Image, loadImage, matchFeatures, openExtractor, Random } from "../src/node/index.js";
import { openUsac } from "./opencv-usac.js";

/** Matches of one pair of images and the homography between them. */
interface Pair {
  name: string;
  a: Float32Array;
  b: Float32Array;
  scores: Float32Array | null;
  truth: Matrix3;
  size: [number, number];
}

/** What an estimator did on a set of pairs. */
export interface GeometryFigures {
  estimator: string;
  /** Pairs times seeds. */
  runs: number;
  /** Share of them with a mean corner error ≤ 1, 3, 5 px. */
  within: [number, number, number];
  /** Milliseconds of processor time. */
  median: number;
}

/** Sets by name, each with the figures of both estimators; what each pair's corner errors are, for photographs. */
export interface GeometryResults {
  sets: Record<string, GeometryFigures[]>;
  pairs: Record<string, Record<string, (number | null)[]>>;
}

const SEEDS = 3;
const SIZE: [number, number] = [640, 480];
export const HSEQ = fileURLToPath(new URL("../../shared/hseq", import.meta.url));

type Estimator = (pair: Pair, seed: number) => Promise<Float64Array | null>;

export async function compareGeometry(data = HSEQ): Promise<GeometryResults> {
  const usac = await openUsac();
  const estimators: Record<string, Estimator> = {
    ours: async ({ a, b, scores }, seed) => (await estimateHomography(a, b, { seed, scores })).matrix,
    "OpenCV USAC MAGSAC": async ({ a, b }, seed) => usac(a, b, seed),
  };
  const results: GeometryResults = { sets: {}, pairs: {} };
  const measure = async (name: string, pairs: readonly Pair[], seeds: number) => {
    results.sets[name] = [];
    for (const [estimator, find] of Object.entries(estimators)) {
      const errors: number[] = [];
      const times: number[] = [];
      for (const pair of pairs) {
        for (let seed = 0; seed < seeds; seed++) {
          const before = process.cpuUsage();
          const matrix = await find(pair, seed);
          const { user, system } = process.cpuUsage(before);
          times.push((user + system) / 1000);
          errors.push(cornerError(matrix, pair.truth, pair.size));
        }
      }
      const share = (limit: number) => errors.filter((error) => error <= limit).length / errors.length;
      results.sets[name].push({
        estimator,
        runs: errors.length,
        within: [share(1), share(3), share(5)],
        median: times.sort((x, y) => x - y)[times.length >> 1],
      });
      if (pairs[0].name === "") continue;
      const own = Object.fromEntries(pairs.map((pair, i) => [pair.name, errors.slice(i * seeds, (i + 1) * seeds)]));
      results.pairs[`${name}, ${estimator}`] = Object.fromEntries(
        Object.entries(own).map(([pair, all]) => [pair, all.map((e) => (Number.isFinite(e) ? round(e) : null))]),
      );
    }
  };
  if (existsSync(data)) for await (const [name, pairs] of photographs(data)) await measure(name, pairs, SEEDS);
  else console.log(`geometry: ${data} is missing; drawn pairs only`);
  for (const [count, wrong] of DRAWN)
    await measure(`drawn, ${count} matches, ${wrong} % wrong`, drawn(count, wrong), 1);
  for (const wrong of [0, 5, 20, 50]) await measure(`mirrored, 200 matches, ${wrong} % wrong`, mirrored(wrong), 1);
  return results;
}

/** One line per set and estimator. */
export function geometryTable({ sets }: GeometryResults): string {
  const lines = [`${"set".padEnd(34)}${"estimator".padEnd(20)}${"runs".padStart(5)}   ≤ 1    3    5 px  median`];
  for (const [name, rows] of Object.entries(sets)) {
    for (const { estimator, runs, within, median } of rows) {
      const shares = within.map((share) => share.toFixed(3)).join(" ");
      lines.push(
        `${name.padEnd(34)}${estimator.padEnd(20)}${`${runs}`.padStart(5)}  ${shares}  ${median.toFixed(1).padStart(5)} ms`,
      );
    }
  }
  return lines.join("\n");
}

/** Corner errors in pixels of each pair of photographs of one method, the median of its seeds: OpenCV's estimator, ours. */
export function pairTable({ pairs }: GeometryResults, method = "strata-s"): string {
  const [theirs, ours] = ["OpenCV USAC MAGSAC", "ours"].map(
    (estimator) => pairs[`hseq, ${method}, ${estimator}`] ?? {},
  );
  const median = (errors: readonly (number | null)[]) => {
    const middle = errors.map((error) => error ?? Infinity).sort((x, y) => x - y)[errors.length >> 1];
    return (Number.isFinite(middle) ? middle.toFixed(2) : "none").padStart(9);
  };
  const rows = Object.keys(ours).map((pair) => `${pair.padEnd(18)}${median(theirs[pair])}${median(ours[pair])}`);
  return [`${`${method}, px`.padEnd(18)}${"OpenCV".padStart(9)}${"ours".padStart(9)}`, ...rows].join("\n");
}

const round = (value: number): number => Number(value.toPrecision(4));

/** The pairs of image sequences, matched by strata-s, ORB and AKAZE. */
async function* photographs(data: string): AsyncGenerator<[string, Pair[]]> {
  const { sequences } = await openSequences(data);
  for (const method of ["strata-s", "orb", "akaze"] as const) {
    const opened = method === "strata-s" ? await openExtractor({ model: method }) : await openBaseline(method);
    const pairs: Pair[] = [];
    for (const sequence of sequences) {
      const features = new Map<number, Features>();
      for (const { number, path } of sequence.images) {
        const image: Image = await loadImage(path);
        features.set(number, await opened.extract(image));
      }
      for (const { images, homography } of sequence.pairs) {
        const [first, second] = images.map((number) => features.get(number) as Features);
        const matches: Matches = await matchFeatures(first, second);
        const [a, b] = matchedPoints("geometry", first, second, matches);
        const name = `${sequence.name} ${images.join("-")}`;
        pairs.push({ name, a, b, scores: matches.scores, truth: homography, size: first.imageSize });
      }
    }
    await opened.dispose();
    yield [`hseq, ${method}`, pairs];
  }
}

const DRAWN: readonly [count: number, wrong: number][] = [
  [1000, 50],
  [1000, 80],
  [500, 80],
  [200, 80],
  [60, 80],
  [500, 90],
];

/** 60 drawn homographies, noise of 1 px, `wrong` per cent of the matches anywhere; nothing is known of their scores. */
function drawn(count: number, wrong: number): Pair[] {
  const random = new Random(count + wrong);
  return Array.from({ length: 60 }, () => {
    const angle = random.uniform(-Math.PI, Math.PI);
    const zoom = random.uniform(0.6, 1.6);
    const [c, s] = [zoom * Math.cos(angle), zoom * Math.sin(angle)];
    const tilt = () => random.uniform(-4e-4, 4e-4);
    const truth = [c, -s, random.uniform(-100, 100), s, c, random.uniform(-100, 100), tilt(), tilt(), 1];
    return drawnPair(random, truth, count, wrong);
  });
}

function mirrored(wrong: number): Pair[] {
  const random = new Random(wrong);
  return Array.from({ length: 20 }, () => drawnPair(random, [-1, 0, SIZE[0] - 1, 0, 1, 0, 0, 0, 1], 200, wrong));
}

function drawnPair(random: Random, truth: Matrix3, count: number, wrong: number): Pair {
  const a = Float32Array.from({ length: 2 * count }, (_, k) => random.uniform(0, SIZE[k & 1]));
  const b = Float32Array.from(projectPoints(truth, a), (value) => value + random.normal());
  for (let k = 0; k < 2 * Math.round((wrong / 100) * count); k++) b[k] = random.uniform(-100, 740);
  return { name: "", a, b, scores: null, truth, size: SIZE };
}
