/** Reads one file of weights in a process of its own and prints what it took: `{ ms, bytes }`, bytes beyond Node's own. */
import { readTensorFile } from "../../src/node/checkpoint-file.js";

const before = process.resourceUsage().maxRSS;
const start = performance.now();
const { tensors } = await readTensorFile(process.argv[2]);
const ms = performance.now() - start;
const bytes = 1024 * (process.resourceUsage().maxRSS - before);
console.log(JSON.stringify({ ms, bytes, tensors: tensors.size }));
