#!/usr/bin/env node
// Starts the command line that `npm run build` has made.
import { existsSync } from "node:fs";

const built = new URL("../dist/cli/main.js", import.meta.url);

if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(`strata: needs Node 20 or later, this is ${process.versions.node}`);
  process.exit(1);
}
if (!existsSync(built)) {
  console.error('strata: not built yet; run "npm run build" first');
  process.exit(1);
}
// A reader that closes early (`strata … | head`) is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

const { main } = await import(built.href);
const code = await main(process.argv.slice(2));
// Pipes may still hold text; native threads of an interrupted run must not keep the process alive.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
