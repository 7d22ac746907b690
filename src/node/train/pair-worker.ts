/**
 * A thread that makes training pairs as they are asked for, until it is told to end. A pair's pixels and depths are
 * handed over, not copied; what a source may still need (cameras, its caches) is copied.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { StateError } from "../../errors.js";
import type { TrainingPair } from "../../train/types.js";
import { failureOf } from "../failure.js";
import type { PairAnswer, PairOrder } from "./pair-workers.js";
import { openSource, type SourceSpec } from "./sources.js";

if (!parentPort) throw new StateError("pair-worker: runs as a worker thread only; see openPairWorkers");
const port: MessagePort = parentPort;

const opening = openSource(workerData as SourceSpec);
opening.then(
  ({ digest }) => answer({ opened: digest }),
  (error: unknown) => answer({ failed: failureOf(error) }),
);
const atWork = new Set<Promise<void>>();

port.on("message", (order: PairOrder | null) => {
  if (order === null) return void end();
  const work = make(order).finally(() => atWork.delete(work));
  atWork.add(work);
});

async function make({ id, epoch, index }: PairOrder): Promise<void> {
  try {
    const pair = await (await opening).pair(epoch, index);
    answer({ id, pair }, "skipped" in pair ? [] : buffersOf(pair));
  } catch (error) {
    answer({ id, failure: failureOf(error) });
  }
}

async function end(): Promise<void> {
  port.close();
  await Promise.all(atWork);
  await opening.then(
    (source) => source.dispose(),
    () => {},
  );
}

function answer(message: PairAnswer, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

/** Memory that belongs to this pair alone: whole buffers, each once. */
function buffersOf({ images, warp, before = [images[0], images[1]] }: TrainingPair): ArrayBuffer[] {
  const arrays: (Uint8Array | Float32Array)[] = [...images, ...before].map(({ data }) => data);
  if (warp.kind === "depth") arrays.push(...warp.depths);
  if (warp.kind === "planes") arrays.push(...warp.labels);
  const whole = arrays.filter(({ byteLength, buffer }) => byteLength === buffer.byteLength);
  return [...new Set(whole.map(({ buffer }) => buffer))].filter((buffer) => buffer instanceof ArrayBuffer);
}
