#!/usr/bin/env node
// Starts the command line that `npm run build` has made.
import { existsSync } from "node:fs";
import * as module from "node:module";

const built = new URL("../dist/bundle/strata.js", import.meta.url);

if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(`strata: needs Node 20 or later, this is ${process.versions.node}`);
  process.exit(1);
}
if (!existsSync(built)) {
  console.error('strata: not built yet; run "npm run build" first');
  process.exit(1);
}
// Compiled scripts are kept for the next start (Node 22.1 and later; NODE_DISABLE_COMPILE_CACHE=1 says no).
module.enableCompileCache?.();
let runProcess;
try {
  ({ runProcess } = await import(built.href));
} catch (error) {
  if (!/EMFILE|ENFILE|ENOMEM|memory|allocation/i.test(`${error.code} ${error.message}`)) throw error;
  const [said] = error.message.split("\n");
  console.error(`strata: cannot start (${said}); allow more memory (ulimit -v) or open files (ulimit -n)`);
  process.exit(1);
}
// Native threads of an interrupted run must not keep the process alive.
process.exit(await runProcess(process.argv.slice(2)));
