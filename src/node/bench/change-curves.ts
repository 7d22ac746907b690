/** Rotation and scale curves of a planned method on the sequences' first images, kept like any result. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CHANGES, ROTATIONS, SCALES } from "../../bench/change.js";
import { changeCurve } from "../../bench/curves.js";
import { topFeatures } from "../../bench/features.js";
import { scorePair } from "../../bench/score-pair.js";
import type { ChangeCurve } from "../../bench/types.js";
import { FormatError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { sameProvenance } from "../../formats/record.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { loadImage } from "../images.js";
import { type MethodPlan, type OpenExtractor, openMethod } from "./methods.js";
import { type Bench, resultsName, runInfo } from "./run.js";
import { runtimeOf } from "./runner.js";

/** Photographs at most; of more sequences these many are taken, spread evenly over their names. */
export const CURVE_PHOTOS = 12;

/** The curves under the plan's first protocol; none for features out of files, which know no turned images. */
export async function changeCurves(
  plan: MethodPlan,
  bench: Bench,
  openExtractor: OpenExtractor,
  threads: number,
): Promise<ChangeCurve[]> {
  const { out, data, loading, seed, watch } = bench;
  if (plan.spec.kind === "files" || plan.spec.kind === "h5") return [];
  const [protocol] = plan.protocols;
  const photos = spread(data.sequences.map(({ images }) => images[0]));
  const names = photos.map(({ name }) => name);
  const path = join(out, "results", `${resultsName(runInfo(plan, protocol, bench))}.curves.json`);
  const kept = await readKept(path, names);
  if (kept) return kept;

  const method = await openMethod(plan.spec, threads, openExtractor);
  const runtime = runtimeOf(threads);
  const curves: ChangeCurve[] = [];
  try {
    for (const change of CHANGES) {
      const values = change === "rotation" ? ROTATIONS : SCALES;
      const stage = await watch.stage(`${plan.name} ${change}: `, ["pair", "pairs"], photos.length * values.length);
      const curve = changeCurve({
        method: plan.name,
        protocol: protocol.name,
        change,
        values,
        photos: photos.map((image) => ({ name: image.name, load: () => loadImage(image.path, loading) })),
        extract: async (pixels) => topFeatures(await method.features(photos[0], async () => pixels), protocol.limit),
        score: (a, b, truth) => scorePair(a, b, truth, { seed, runtime }),
        onProgress: (done) => stage.update(done, done),
      });
      try {
        curves.push(await watch.race(curve));
      } finally {
        stage.stop();
      }
    }
  } finally {
    await method.dispose();
  }
  await writeFileAtomic(path, `${JSON.stringify({ photos: names, curves })}\n`);
  return curves;
}

/** At most `CURVE_PHOTOS` of them. */
function spread<T>(all: readonly T[]): T[] {
  if (all.length <= CURVE_PHOTOS) return [...all];
  return Array.from({ length: CURVE_PHOTOS }, (_, i) => all[Math.floor((i * all.length) / CURVE_PHOTOS)]);
}

/** Curves that an earlier run kept for the same photographs; null where there are none, or damaged ones. */
async function readKept(path: string, photos: readonly string[]): Promise<ChangeCurve[] | null> {
  if (!existsSync(path)) return null;
  try {
    const kept = parseJson(path, await readFileChecked(path)) as { photos?: unknown; curves?: ChangeCurve[] };
    return sameProvenance(kept.photos, photos) && Array.isArray(kept.curves) ? kept.curves : null;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
