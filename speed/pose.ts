/**
 * `npm run bench pose`: our essential matrices and OpenCV's USAC MAGSAC (Python's, by `opencv_pose.py`) on the same matches,
 * in one run: the pose between images of scenes with known cameras, and drawn pairs with more and more wrong matches.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { topFeatures } from "../src/bench/features.js";
import { POSE_THRESHOLDS, poseAuc, poseError, relativePose } from "../src/bench/pose.js";
import type { Features } from "../src/features.js";
import { estimateEssential } from "../src/geometry/epipolar.js";
import { checkIntrinsics, type Intrinsics } from "../src/geometry/intrinsics.js";
import type { Pose } from "../src/geometry/pose.js";
import { matchedPoints } from "../src/match/points.js";
import { openScenes } from "../src/node/bench/scenes.js";
import { loadImage, matchFeatures, openExtractor, Random } from "../src/node/index.js";
import { CAMERA_A, CAMERA_B, drawPairs, noisy, randomPose, split } from "../test/unit/geometry/robust/scenes.js";

/** Matches of one pair of images and the pose between them. */
interface Pair {
  set: string;
  a: Float32Array;
  b: Float32Array;
  scores: Float32Array | null;
  cameras: [Intrinsics, Intrinsics];
  truth: Pose;
}

/** What an estimator did on a set of pairs: area under the curve of the pose's error, milliseconds of processor time. */
export interface PoseRow {
  set: string;
  estimator: string;
  pairs: number;
  auc: number[];
  median: number;
}

const SCENES = fileURLToPath(new URL("../../shared/scenes", import.meta.url));
const SCRIPT = fileURLToPath(new URL("opencv_pose.py", import.meta.url));
const PYTHON = process.env.PYTHON ?? "python3";
const MODELS = ["strata-s", "strata-xs"];
const KEYPOINTS = 2000;
/** Thresholds in pixels: 1 is what these scenes are measured with elsewhere, 1.5 our own default. */
const THEIRS = [1, 1.5];
const DRAWN = { pairs: 20, matches: 1000, wrong: [50, 70], noise: 0.5, size: [1000, 700] };

export async function comparePose(data = SCENES): Promise<{ opencv: string; rows: PoseRow[] }> {
  const pairs = drawn();
  if (existsSync(data)) for (const model of MODELS) pairs.push(...(await photographs(data, model)));
  else console.log(`pose: ${data} is missing; drawn pairs only`);
  const rows: PoseRow[] = [];
  const add = (estimator: string, set: string, found: readonly (Pose | null)[], times: number[]) => {
    const own = pairs.filter((pair) => pair.set === set);
    const errors = found.map((pose, i) => (pose ? poseError(pose, own[i].truth) : 180));
    const auc = POSE_THRESHOLDS.map((threshold) => poseAuc(errors, threshold));
    const median = times.sort((x, y) => x - y)[times.length >> 1];
    rows.push({ set, estimator, pairs: errors.length, auc, median });
  };
  let opencv = "none";
  for (const set of new Set(pairs.map((pair) => pair.set))) {
    const own = pairs.filter((pair) => pair.set === set);
    const [poses, times]: [(Pose | null)[], number[]] = [[], []];
    for (const { a, b, scores, cameras } of own) {
      const before = process.cpuUsage();
      const options = { intrinsicsA: cameras[0], intrinsicsB: cameras[1], scores };
      const { rotation, translation } = await estimateEssential(a, b, options);
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000);
      poses.push(rotation && translation ? { rotation, translation } : null);
    }
    add("ours", set, poses, times);
    for (const threshold of THEIRS) {
      const { version, found } = byOpenCv(own, threshold);
      opencv = version;
      const theirPoses = found.map(({ pose }) => pose);
      add(
        `OpenCV, ${threshold} px`,
        set,
        theirPoses,
        found.map(({ ms }) => ms),
      );
    }
  }
  return { opencv, rows };
}

/** One line per set and estimator. */
export function poseTable({ opencv, rows }: { opencv: string; rows: readonly PoseRow[] }): string {
  const head = `${"set".padEnd(34)}${"estimator".padEnd(16)}pairs  AUC@${POSE_THRESHOLDS.join("    ")}  median`;
  const lines = rows.map(
    ({ set, estimator, pairs, auc, median }) =>
      `${set.padEnd(34)}${estimator.padEnd(16)}${`${pairs}`.padStart(5)}  ` +
      `${auc.map((value) => value.toFixed(3)).join(" ")}  ${median.toFixed(1).padStart(5)} ms`,
  );
  return [head, ...lines, `OpenCV ${opencv}`].join("\n");
}

interface Found {
  pose: Pose | null;
  ms: number;
}

function byOpenCv(pairs: readonly Pair[], threshold: number): { version: string; found: Found[] } {
  const plain = ({ fx, fy, cx, cy }: Intrinsics) => [fx, fy, cx, cy];
  const input = pairs
    .map(({ a, b, cameras }) => JSON.stringify({ a: [...a], b: [...b], cameras: cameras.map(plain), threshold }))
    .join("\n");
  const run = spawnSync(PYTHON, [SCRIPT], { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (run.status !== 0)
    throw new Error(`pose: ${PYTHON} with OpenCV (python3-opencv; PYTHON names another one) failed:\n${run.stderr}`);
  const [{ version }, ...found] = run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { version, found };
}

/** Image i of each scene with the next three, by mutual nearest neighbours. */
async function photographs(data: string, model: string): Promise<Pair[]> {
  const extractor = await openExtractor({ model });
  const pairs: Pair[] = [];
  try {
    for (const { images } of await openScenes(data)) {
      const seen: Features[] = [];
      for (const { path } of images) seen.push(topFeatures(await extractor.extract(await loadImage(path)), KEYPOINTS));
      for (let i = 0; i < images.length; i++) {
        for (let j = i + 1; j <= Math.min(i + 3, images.length - 1); j++) {
          const { scores, ...matches } = await matchFeatures(seen[i], seen[j]);
          const [a, b] = matchedPoints("pose", seen[i], seen[j], { scores, ...matches });
          const own = [images[i].camera, images[j].camera] as const;
          const cameras = own.map(({ intrinsics }) => checkIntrinsics("pose", "intrinsics", intrinsics));
          const truth = relativePose(...own);
          pairs.push({ set: `scenes, ${model}`, a, b, scores, cameras: cameras as [Intrinsics, Intrinsics], truth });
        }
      }
    }
  } finally {
    await extractor.dispose();
  }
  return pairs;
}

function drawn(): Pair[] {
  const { matches, noise, size, pairs } = DRAWN;
  return DRAWN.wrong.flatMap((wrong) => {
    const random = new Random(wrong);
    return Array.from({ length: pairs }, (): Pair => {
      const truth = randomPose(random);
      const count = Math.round((matches * wrong) / 100);
      const right = noisy(random, drawPairs(random, truth, matches - count), noise);
      const outliers = Array.from({ length: 4 * count }, (_, k) => random.uniform(0, size[k & 1]));
      const [a, b] = split(Float64Array.of(...right, ...outliers));
      const set = `drawn, ${matches} matches, ${wrong} % wrong`;
      return { set, a, b, scores: null, cameras: [CAMERA_A, CAMERA_B], truth };
    });
  });
}
