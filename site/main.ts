/**
 * `npm run site`: the site on loopback, with changes shown at once. `npm run site:build [-- FOLDER]`: static files for any
 * folder of any server, by default in site/dist. Both want `npm run build` first, whose files the app uses.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, createServer } from "vitepress";
import { anyFolder, PLACEHOLDER } from "./any-folder.js";
import { writeApp, writePages } from "./pages.js";

const SITE = fileURLToPath(new URL("./", import.meta.url));
const [command, folder] = process.argv.slice(2);

// Both work with all cores; one after the other they take no longer.
await writePages();
await writeApp();
if (command === "build") {
  const out = folder ? resolve(folder) : `${SITE}dist`;
  await build(SITE, { base: PLACEHOLDER, outDir: out });
  await anyFolder(out);
  console.log(`the site is in ${out}`);
} else {
  // Building the app has set it to "production", of which VitePress's server knows nothing.
  delete process.env.NODE_ENV;
  const server = await createServer(SITE, { host: "127.0.0.1" });
  await server.listen();
  server.printUrls();
}
