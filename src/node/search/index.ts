/** The search door in Node: indexes in folders. Matching runs on onnxruntime-node. */
import { setDefaultRuntime } from "../../graph/session.js";
import { nodeRuntime } from "../runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../../search/index.js";
export { folderStore } from "./folder-store.js";
