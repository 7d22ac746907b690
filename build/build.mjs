// `npm run build`: dist/ by the TypeScript compiler (its options may follow), then the graphs of the models that ship,
// the scripts of the workers of pages, and the command line in few files.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const project = fileURLToPath(new URL("../tsconfig.build.json", import.meta.url));
const { status } = spawnSync(process.execPath, [tsc, "-p", project, ...process.argv.slice(2)], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

await import("./prepare.mjs");
await import("./web.mjs");
await import("./bundle.mjs");
