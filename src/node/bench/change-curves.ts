/**
 * Rotation and scale curves of a planned method on some of the sequences' first images. A line for each photograph,
 * change and value is kept as pairs' scores are, so that more photographs, or a run that was stopped, only add to them.
 */
import { join } from "node:path";
import { CHANGES } from "../../bench/change.js";
import { changeCurve, changeScoringOf, plainValues } from "../../bench/curves.js";
import { parseChangeRecord } from "../../bench/records.js";
import type { Change, ChangeCurve, ChangeRecord } from "../../bench/types.js";
import { openJsonLines } from "./json-lines.js";
import type { MethodPlan } from "./methods.js";
import { type Bench, isOfRun, resultsName, runInfo } from "./run.js";
import type { ChangeTask } from "./runner.js";
import type { Sequence } from "./sequences.js";

/** Photographs unless asked for otherwise. */
export const CURVE_PHOTOS = 3;

/**
 * The curves under the plan's first protocol, on the first images of `count` of the sequences, evenly taken; none for
 * features out of files, which know no turned images.
 */
export async function changeCurves(
  plan: MethodPlan,
  bench: Bench,
  sequences: readonly Sequence[],
  count = CURVE_PHOTOS,
): Promise<ChangeCurve[]> {
  const { out, loading, seed, pool, watch } = bench;
  const { spec } = plan;
  if (spec.kind === "files" || spec.kind === "h5" || sequences.length === 0) return [];
  const [protocol] = plan.protocols;
  const base = runInfo(plan, protocol, bench);
  const info = { ...base, scoring: { ...changeScoringOf({ seed }), maxFeatures: protocol.limit } };
  const lines = await openJsonLines(join(out, "results", `${resultsName(info)}.curves.jsonl`), parseChangeRecord);
  const records = new Map<string, ChangeRecord>();
  for (const record of lines.values) if (isOfRun(record, info)) records.set(idOf(record), record);

  const photos = spread(sequences, count).map(({ images }) => images[0]);
  const all = photos.flatMap((image) =>
    CHANGES.flatMap((change) =>
      plainValues(change).map(
        (value): ChangeTask => ({
          type: "change",
          method: spec,
          image,
          loading,
          limit: protocol.limit,
          change,
          value,
          seed,
        }),
      ),
    ),
  );
  const tasks = all.filter(({ image, change, value }) => !records.has(idOf({ photo: image.name, change, value })));
  let worked = 0;
  const before = all.length - tasks.length;
  const stage = await watch.stage(`${plan.name} rotation and scale: `, ["pair", "pairs"], all.length);
  try {
    await watch.race(
      pool.map(tasks, async ({ image, change, value }, outcome) => {
        if ("error" in outcome) throw outcome.error;
        const record: ChangeRecord = { photo: image.name, change, value, ...outcome.value, run: info };
        records.set(idOf(record), record);
        await lines.append(record);
        stage.update(before + ++worked, worked);
        // What is done is kept before a wish to stop is heard.
        await watch.race(Promise.resolve());
      }),
    );
  } finally {
    stage.stop();
  }
  return CHANGES.map((change) =>
    changeCurve({
      method: plan.name,
      protocol: protocol.name,
      change,
      photos: photos.map(({ name }) => name),
      scores: (photo, value) => records.get(idOf({ photo, change, value })) as ChangeRecord,
    }),
  );
}

const idOf = ({ photo, change, value }: { photo: string; change: Change; value: number }): string =>
  `${photo} ${change} ${value}`;

/** `count` of them at most, at even distances. */
function spread<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]);
}
