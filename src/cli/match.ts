/** `strata match`: two images to matches and a homography, told, and written in the formats that are asked for. */

import { sessionNotes } from "../extract/extractor.js";
import type { HomographyOptions } from "../geometry/homography.js";
import type { Verdict } from "../geometry/verdict.js";
import type { Image } from "../image/image.js";
import { type MatchReport, matchJson } from "../match-report.js";
import type { ImageWarning } from "../node/extract-many.js";
import { checkWritable } from "../node/folders.js";
import { matchFileKind, saveMatches } from "../node/match-files.js";
import { refuseOverwriting } from "../node/overwriting.js";
import { packageVersion } from "../node/version.js";
import { plural } from "../plural.js";
import { type Seconds, timed } from "../timing.js";
import { type ExtractionFlags, imageOptions, openOptions } from "./arguments.js";
import { type Context, EXIT } from "./context.js";

export interface MatchFlags extends ExtractionFlags {
  out?: string[];
  ratio?: number;
  minSimilarity?: number;
  thresholdPx?: number;
  seed?: number;
  guided?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function matchCommand(paths: [string, string], flags: MatchFlags, context: Context): Promise<number> {
  const outputs = flags.out ?? [];
  for (const path of outputs) matchFileKind("--out", path);
  const started = performance.now();
  const seconds: Seconds = {};
  const warnings: ImageWarning[] = [];
  const images = await timed(seconds, "load", async () => {
    const { loadImage } = await import("../node/images.js");
    // Both at once, each decoded by a thread of its own; what there is to say comes in their order.
    const loading = paths.map(async (path) => {
      const told: string[] = [];
      const image = await loadImage(path, { ...imageOptions(flags), onWarning: (message) => told.push(message) });
      return { path, image, told };
    });
    await Promise.allSettled(loading);
    const loaded: Image[] = [];
    for (const one of loading) {
      const { path, image, told } = await one;
      for (const message of told) {
        warnings.push({ path, message });
        if (!flags.quiet) context.err(`strata: warning: ${message}\n`);
      }
      loaded.push(image);
    }
    return loaded as [Image, Image];
  });
  await refuseOverwriting(paths, outputs);
  await checkWritable(outputs);
  const extractor = await timed(seconds, "open", () => context.engine.openExtractor(openOptions(flags)));
  try {
    const match = { ratio: flags.ratio ?? null, minSimilarity: flags.minSimilarity ?? null };
    const homography: HomographyOptions = { threshold: flags.thresholdPx ?? 3, seed: flags.seed ?? 0 };
    const guided = flags.guided ?? false;
    const { matchImages } = await import("../pair.js");
    const result = await matchImages(extractor, ...images, { match, homography, guided });
    Object.assign(seconds, result.seconds);
    const { session, verdict: _, ...model } = extractor.info;
    const report: MatchReport = {
      paths,
      images,
      ...result,
      seconds,
      info: {
        version: packageVersion(),
        ...model,
        ...session,
        options: { ...extractor.options, orientation: flags.orientation },
        match,
        homography,
        guided,
      },
    };
    await timed(seconds, "write", async () => {
      for (const path of outputs) await saveMatches(path, report);
    });
    seconds.total = (performance.now() - started) / 1000;
    if (!flags.quiet) for (const note of sessionNotes(extractor.info)) context.err(`strata: ${note}\n`);
    if (flags.json) context.out(`${JSON.stringify({ ...matchJson(report), warnings, outputs })}\n`);
    else if (!flags.quiet) context.out(describe(report, outputs));
    return EXIT.ok;
  } finally {
    await extractor.dispose();
  }
}

/** The summary for people. */
function describe(report: MatchReport, outputs: readonly string[]): string {
  const { paths, images, features, matches, homography, verdict, seconds, info } = report;
  const lines = paths.map((path, i) => {
    const { width, height } = images[i];
    const count = features[i].count;
    return `${path}: ${width}×${height}, ${count === 0 ? "no keypoints" : plural(count, "keypoint")}`;
  });
  lines.push(matches.count === 0 ? "no matches" : plural(matches.count, "match", "matches"));
  if (homography.matrix) {
    lines.push(`${homography.inliers.length} inliers of the homography`, ...describeMatrix(homography.matrix));
  } else {
    lines.push("no homography: too few matches agree on one");
  }
  if (verdict) lines.push(describeVerdict(verdict));
  const steps = Object.entries(seconds).filter(([step]) => step !== "total");
  const times = steps.map(([step, time]) => `${step} ${time.toFixed(2)}`).join(", ");
  lines.push(`${(seconds.total ?? 0).toFixed(2)} s (${times}); ${info.model} on ${info.backend ?? "no backend"}`);
  if (outputs.length > 0) lines.push(`written: ${outputs.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

/** "same: the homography is right with probability 0.98". */
export function describeVerdict({ verdict, probability }: Verdict): string {
  return `${verdict}: the homography is right with probability ${probability.toFixed(2)}`;
}

/** Three rows of a 3×3 matrix, aligned. */
export function describeMatrix(matrix: ArrayLike<number>): string[] {
  const cells = Array.from(matrix, (value) => value.toPrecision(6));
  const width = Math.max(...cells.map((cell) => cell.length));
  return [0, 3, 6].map(
    (row) =>
      `  ${cells
        .slice(row, row + 3)
        .map((cell) => cell.padStart(width))
        .join("  ")}`,
  );
}
