/** Logs of made trainings, for tests of their report: a loss that falls with noise, a norm with a spike. */
import { Random } from "../../../src/random.js";
import type { LogRecord, RunFacts, TrainLog } from "../../../src/train/log.js";

export interface MadeRun extends Partial<RunFacts> {
  updates?: number;
  perEpoch?: number;
  /** Factor of all losses. */
  level?: number;
  seed?: number;
  /** Whether the log ends as that of a run that is finished. */
  finished?: boolean;
}

/** Loss at update n is level · (0.05 + e^(−n / 0.15·updates)) with 20 % noise; validation without noise, worst at the end. */
export function madeRun({
  updates = 400,
  perEpoch = 40,
  level = 1,
  seed = 1,
  finished = true,
  ...facts
}: MadeRun = {}): TrainLog {
  const random = new Random(seed);
  const at = (n: number) => level * (0.05 + Math.exp(-n / (0.15 * updates)));
  const time = (n: number) => new Date(Date.UTC(2026, 0, 2, 3) + 1000 * n).toISOString();
  const records: LogRecord[] = [];
  for (let n = 1; n <= updates; n++) {
    const epoch = Math.floor((n - 1) / perEpoch);
    const loss = at(n) * (1 + 0.2 * random.normal());
    const metrics = { "share of correct": 1 - at(n) / (2 * level), attention: n === 7 ? null : 0.3 * loss };
    const norm = n === 100 ? 1000 : 3 * loss;
    const rate = 1e-3 * Math.min(1, n / 20) * (0.5 + 0.5 * Math.cos((Math.PI * n) / updates));
    records.push({
      kind: "step",
      time: time(n),
      step: n,
      epoch,
      pairs: 8,
      loss,
      metrics,
      rate,
      norm,
      imagesPerSecond: 16,
    });
    if (n % 50 === 0) {
      const reason =
        n % 100 === 0 ? "94 correspondences, at least 128 are wanted" : "<b>0002</b>: no pair overlaps enough";
      records.push({ kind: "skip", time: time(n), step: n, epoch, index: n, reason });
    }
    if (n % perEpoch !== 0) continue;
    const last = n === updates;
    const valid = last ? 2 * at(n) : 1.1 * at(n);
    records.push({
      kind: "validation",
      time: time(n),
      step: n,
      epoch,
      pairs: 20,
      loss: valid,
      metrics: { attention: 0.2 * valid },
      best: !last,
    });
    records.push({ kind: "checkpoint", time: time(n), step: n, best: !last });
  }
  if (finished) records.push({ kind: "end", time: time(updates + 1), step: updates, ended: "finished" });
  return {
    head: {
      kind: "run",
      format: 1,
      time: time(0),
      resumed: [{ step: 120, time: time(130) }],
      name: "attention",
      task: "attention/distinctiveness-n2-lambda0.5-squashed-shared",
      recipe: { kind: "attention", loss: "distinctiveness+", options: { n: 2, lambda: 0.5, margin: 1 }, shared: true },
      options: { batch: 8, accumulate: 8, rate: 0.001, schedule: "cosine", seed: 42, clip: null },
      data: {
        train: "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a",
        validation: "ef2d127de37b942b",
      },
      versions: { strata: "0.1.0", node: "20.19.0" },
      total: updates,
      events: "tb_logs/attention/version_0",
      ...facts,
    },
    records,
  };
}
