/** Trained tensors in the layout of the reference's checkpoints, so that `openReference` opens them like any other. */

import { checkList, checkMap, checkObject, checkText } from "../../check.js";
import { OptionError } from "../../errors.js";
import { checkNdArray, type NdArray, ndarray } from "../../formats/ndarray.js";
import { BACKBONE_PREFIX, HEADS } from "../../model/checkpoint.js";
import { checkNumber } from "../../options.js";
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
  const where = "assembleCheckpoint";
  checkMap(where, "frozen", frozen);
  for (const [name, list] of Object.entries({ learnt, state })) {
    for (const parameter of checkList(where, name, list)) {
      const { name: own, shape, data } = checkObject(where, `one of ${name}`, parameter);
      const called = JSON.stringify(checkText(where, `a name in ${name}`, own));
      checkNdArray(`${where}: ${called}`, { dtype: "float32", shape: shape as number[], data: data as Float32Array });
    }
  }
  checkNumber(where, "steps", steps, { min: 0, integer: true });
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
