/** Trained tensors in the layout of the reference's checkpoints, so that `openReference` opens them like any other. */
import { OptionError } from "../../errors.js";
import { type NdArray, ndarray } from "../../formats/ndarray.js";
import { BACKBONE_PREFIX, HEADS } from "../../model/checkpoint.js";
import type { Parameter } from "../parameters.js";

/**
 * A whole checkpoint: the backbone (and whatever else, such as a frozen encoder, `frozen` holds), with everything learnt
 * and the running statistics put in its place. Heads of another kind that `frozen` may hold are left out when heads
 * were learnt. `steps` is what batch norms count.
 */
export function assembleCheckpoint(
  frozen: ReadonlyMap<string, NdArray>,
  learnt: readonly Parameter[],
  state: readonly Parameter[],
  steps: number,
): Map<string, NdArray> {
  if (![...frozen.keys()].some((name) => name.startsWith(BACKBONE_PREFIX))) {
    throw new OptionError(`assembleCheckpoint: no backbone among the frozen tensors (${BACKBONE_PREFIX}*)`);
  }
  const replacesHeads = learnt.some(({ name }) => HEADS.test(name));
  const tensors = new Map([...frozen].filter(([name]) => !(replacesHeads && HEADS.test(name))));
  for (const { name, shape, data } of [...learnt, ...state]) tensors.set(name, ndarray(data, [...shape]));
  for (const { name } of state) {
    if (!name.endsWith(".running_mean")) continue;
    const counter = name.replace(/running_mean$/, "num_batches_tracked");
    tensors.set(counter, ndarray(BigInt64Array.of(BigInt(steps)), []));
  }
  return tensors;
}
