/**
 * `npm run demo`: two drawn images through the whole of strata. Writes demo/matches.svg and demo/matches.png, prints
 * what was found and how far the homography is from the one that made the second image.
 */
import { fileURLToPath } from "node:url";
import { cornerError, matchImages, openExtractor, type Seconds, saveMatches, timed } from "../src/node/index.js";
import { drawDemoPair } from "./draw.js";

const SEED = 7;
const folder = fileURLToPath(new URL(".", import.meta.url));
const { a, b, truth } = drawDemoPair(SEED);
const seconds: Seconds = {};
const extractor = await timed(seconds, "open", () => openExtractor());
const result = await matchImages(extractor, a, b);
Object.assign(seconds, result.seconds);
// Once more, now that the graph is open and memory is there.
const warm = (await matchImages(extractor, a, b)).seconds;
await extractor.dispose();
const { features, matches, homography, verdict } = result;

const report = {
  ...result,
  paths: ["drawn scene", "the same, seen from elsewhere"] as const,
  images: [a, b] as const,
  info: { ...extractor.info, ...extractor.info.session, session: undefined },
};
await timed(seconds, "draw", async () => {
  for (const kind of [".svg", ".png"]) await saveMatches(`${folder}matches${kind}`, report);
});

console.log(
  `${features.map(({ count }) => count).join(" and ")} keypoints, ${matches.count} matches, ${homography.inliers.length} inliers`,
);
if (homography.matrix) {
  for (const row of [0, 3, 6]) {
    console.log([...homography.matrix.subarray(row, row + 3)].map((v) => v.toPrecision(6).padStart(14)).join(""));
  }
  const error = cornerError(homography.matrix, truth, [a.width, a.height]);
  console.log(`its corners are ${error.toFixed(2)} px from the true ones`);
} else console.log("no homography");
if (verdict) console.log(`${verdict.verdict}: right with probability ${verdict.probability.toFixed(2)}`);
const times = (of: Seconds) => Object.entries(of).map(([step, s]) => `${step} ${s.toFixed(2)}`);
console.log(
  `seconds, cold (graph ${extractor.info.graph?.prepared ? "prepared" : "traced"}): ${times(seconds).join(", ")}`,
);
console.log(`seconds, warm: ${times(warm).join(", ")}`);
console.log("written: demo/matches.svg, demo/matches.png");
