/** `strata bench pose`: the pose between two images of a scene with known cameras. */
import { POSE_THRESHOLDS } from "../../bench/pose.js";
import { measurePose, type PoseFigures } from "../../node/bench/measure-pose.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { textTable } from "./text-table.js";

export interface PoseFlags extends Omit<ExtractionFlags, "maxFeatures"> {
  data: string;
  method?: string[];
  maxFeatures: number;
  steps: number;
  ratio?: number;
  guided?: boolean;
  auto?: boolean;
  thresholdPx?: number;
  seed: number;
  json?: boolean;
  debug?: boolean;
}

export async function poseCommand(flags: PoseFlags, context: Context): Promise<number> {
  const options = openOptions({ ...flags, maxFeatures: undefined });
  const all: PoseFigures[] = [];
  for (const method of flags.method ?? [options.model ?? "strata-s"]) {
    const figures = await measurePose({
      data: flags.data,
      method,
      options,
      maxFeatures: flags.maxFeatures,
      steps: flags.steps,
      ratio: flags.ratio ?? null,
      guided: flags.guided ?? false,
      auto: flags.auto ?? false,
      threshold: flags.thresholdPx,
      seed: flags.seed,
      loading: imageOptions(flags as ExtractionFlags),
      openExtractor: context.engine.openExtractor,
    });
    all.push(figures);
  }
  if (flags.json) context.out(`${JSON.stringify(all, null, 2)}\n`);
  else context.out(table(all, flags.auto ?? false));
  return EXIT.ok;
}

function table(all: readonly PoseFigures[], auto: boolean): string {
  const header = ["method", "scene", "pairs", "matches", "inliers", ...POSE_THRESHOLDS.map((t) => `AUC@${t}`)];
  if (auto) header.push("planes by auto");
  const rows = all.flatMap(({ method, pairs, auc }) =>
    Object.entries(auc).map(([scene, curve]) => {
      const own = pairs.filter((pair) => scene === "all" || pair.scene === scene);
      const mean = (value: "matches" | "inliers") =>
        (own.reduce((sum, pair) => sum + pair[value], 0) / own.length).toFixed(0);
      const planes = own.filter((pair) => pair.auto === "homography").length;
      return [
        ...[method, scene, `${own.length}`, mean("matches"), mean("inliers")],
        ...curve.map((one) => one.toFixed(3)),
        ...(auto ? [`${planes}`] : []),
      ];
    }),
  );
  return textTable(header, rows);
}
