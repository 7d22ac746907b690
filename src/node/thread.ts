/** Threads of this package: started from source or as built. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

/** A thread that runs the file `name` ("./pair-worker") beside `from` (import.meta.url). */
export function startThread(from: string, name: string, workerData: unknown): Worker {
  const extension = extname(from);
  const file = new URL(`${name}${extension}`, from);
  if (extension !== ".ts") return new Worker(file, { workerData });
  // From source (tests, tsx) the file is TypeScript. A thread does not take over `--import tsx`, so it registers tsx
  // itself before it loads the file.
  const tsx = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const code = `import { register } from ${tsx}; register(); await import(${JSON.stringify(file.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData, execArgv: [] });
}
