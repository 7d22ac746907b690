/** Runs the table on onnxruntime-node's WebGPU and prints one JSON line a group; a process of its own, for it may crash. */
import { input, lower } from "../../../src/graph/compile.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { GROUPS } from "./cases.js";
import { runGroup } from "./failures.js";

const { onnx } = await lower((x: never) => x, input([1]));
const session = await nodeRuntime.open(onnx, { backend: "webgpu" });
const { fallback } = session.info;
await session.dispose();

if (fallback) console.log(JSON.stringify({ absent: fallback }));
else {
  for (const group of Object.keys(GROUPS)) {
    console.log(JSON.stringify(await runGroup(group, "node-webgpu", nodeRuntime, { backend: "webgpu", threads: 1 })));
  }
}
// Dawn's threads outlive the sessions.
process.exit(0);
