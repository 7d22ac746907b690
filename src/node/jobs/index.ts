/** The jobs door: large work cut into shards, done on many machines through a queue, or without one; and an index as a service. */
import { setDefaultRuntime } from "../../graph/session.js";
import { nodeRuntime } from "../runtime.js";

setDefaultRuntime(nodeRuntime);

export { type ServeOptions, type Service, startService } from "../serve/service.js";
export { type Right, type Tokens, tokensOf } from "../serve/tokens.js";
export {
  type ExtractJob,
  type IndexJob,
  type LocatedFeatures,
  locateFeatures,
  type MatchJob,
  makeExtractJob,
  makeIndexJob,
  makeMatchJob,
} from "./make.js";
export type { MatchJobOptions } from "./match-shard.js";
export { type MergeReport, mergeJob } from "./merge.js";
export { type JobKind, type JobPlan, readPlan, type SetAside } from "./plan.js";
export { type JobStatus, jobStatus, type QueueStatus } from "./status.js";
export { statusPage } from "./status-page.js";
export { cancelJob, type SubmitOptions, type SubmitReport, submitJob } from "./submit.js";
export {
  type RunShardsOptions,
  runShards,
  runWorker,
  type ShardEvent,
  type WorkerOptions,
  type WorkerReport,
} from "./worker.js";
