/** The least Runtime over onnxruntime-node that the tests of the product need; counts what is opened and disposed. */
import * as ort from "onnxruntime-node";
import type { Runtime, Session, Tensor } from "../../../src/graph/session.js";

export interface CountingRuntime extends Runtime {
  opened: number;
  disposed: number;
}

export function countingRuntime(): CountingRuntime {
  const runtime: CountingRuntime = {
    name: "onnxruntime-node (test)",
    opened: 0,
    disposed: 0,
    async open(model): Promise<Session> {
      const native = await ort.InferenceSession.create(model);
      runtime.opened++;
      return {
        info: { runtime: runtime.name, backend: "cpu", threads: 2 },
        inputNames: native.inputNames,
        outputNames: native.outputNames,
        async run(inputs) {
          const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
            name,
            new ort.Tensor("float32", data as Float32Array, shape),
          ]);
          const outputs = Object.entries(await native.run(Object.fromEntries(feeds)));
          return Object.fromEntries(
            outputs.map(([name, { dims, data }]): [string, Tensor] => [
              name,
              { type: "float32", shape: dims, data: data as Float32Array },
            ]),
          );
        },
        async dispose() {
          runtime.disposed++;
          await native.release();
        },
      };
    },
  };
  return runtime;
}
