/** Every pair of every run as comma-separated values (RFC 4180), for spreadsheets and other programs. */
import { type Cell, csvText } from "../../report/csv.js";
import { ESTIMATORS, type MethodRun, THRESHOLDS } from "../types.js";

/** One row per pair and protocol, below a row of names. A corner error that is empty: no homography was found. */
export function benchCsv(runs: readonly MethodRun[]): string {
  const header: Cell[] = [
    ...["method", "protocol", "key", "model", "data", "seed"],
    ...["sequence", "kind", "image1", "image2", "keypoints1", "keypoints2", "matches"],
    ...THRESHOLDS.map((t) => `correct@${t}`),
    "refined_matches",
    ...THRESHOLDS.map((t) => `refined_correct@${t}`),
    ...["covisible1", "covisible2", "repeated1", "repeated2"],
    ...ESTIMATORS.map((estimator) => `corner_error_${estimator}`),
    ...["seconds_match", "seconds_score"],
  ];
  const rows = runs.flatMap(({ info, records }) =>
    records.map((pair): Cell[] => [
      ...[info.method, info.protocol, info.key, info.model, info.data.digest, info.seed],
      ...[pair.sequence, pair.kind, ...pair.images, ...pair.keypoints, pair.matches],
      ...pair.correct,
      pair.refined.matches,
      ...pair.refined.correct,
      ...pair.covisible,
      ...pair.repeated,
      ...ESTIMATORS.map((estimator) => pair.cornerError[estimator]),
      ...[pair.seconds.match, pair.seconds.score],
    ]),
  );
  return csvText([header, ...rows]);
}
