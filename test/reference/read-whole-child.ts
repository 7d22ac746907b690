/**
 * Reads one file of weights in a process of its own and prints what it took: `{ units, bytes, tensors }`, processor time in
 * units of this machine, bytes beyond Node's own.
 */
import { readTensorFile } from "../../src/node/checkpoint-file.js";
import { cpuTime, machineUnit } from "../cpu.js";

const before = process.resourceUsage().maxRSS;
const start = cpuTime();
const { tensors } = await readTensorFile(process.argv[2]);
const took = cpuTime() - start;
const bytes = 1024 * (process.resourceUsage().maxRSS - before);
console.log(JSON.stringify({ units: took / machineUnit(), bytes, tensors: tensors.size }));
