// Puts the command line into few files, dist/bundle: reading 190 modules one by one takes longer than to match two images' features.
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const OUT = join(DIST, "bundle");
const NATIVE = 'await import("onnxruntime-node")';
/** Entries of each file: what every command loads, what extracting and matching do, what extracting does. All else has its own. */
const PARTS = {
  start: ["cli/process.js"],
  core: ["cli/match.js", "node/images.js", "node/extractor.js", "node/runtime.js", "pair.js"],
  extract: ["cli/extract.js"],
};

/** Modules that importing `entries` loads. */
function loadedBy(entries) {
  const found = new Set();
  const visit = (file) => {
    if (found.has(file)) return;
    found.add(file);
    const imports = readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^;]*?"(\.[^"]+)";/gm);
    for (const [, to] of imports) visit(resolve(dirname(file), to));
  };
  for (const entry of entries) visit(join(DIST, entry));
  return found;
}

// A module belongs to the first part that loads it.
const parts = Object.entries(PARTS).map(([name, entries], i, { length }) => {
  const files = loadedBy(entries);
  return { name, test: (id) => files.has(resolve(id)), priority: length - i };
});
// Vite's own bundler, as it is installed with it.
const vite = createRequire(createRequire(import.meta.url).resolve("vite/package.json"));
const { rolldown } = await import(pathToFileURL(vite.resolve("rolldown")).href);
const bundle = await rolldown({
  input: { strata: join(DIST, PARTS.start[0]) },
  platform: "node",
  external: (id) => !/^[./]|^[A-Za-z]:\\/.test(id),
  plugins: [{ name: "places", load: inPlace }],
  onLog: (level, log, handle) => {
    // Two ways to one module are fine: the chunks are chosen here.
    if (log.code !== "INEFFECTIVE_DYNAMIC_IMPORT") handle(level, log);
  },
});
rmSync(OUT, { recursive: true, force: true });
await bundle.write({
  dir: OUT,
  format: "esm",
  codeSplitting: { groups: parts },
});
await bundle.close();

/**
 * A module that asks where it lies means its own file in dist/, beside which are workers, models and data. The native
 * runtime is CommonJS: import() would read it once more for the names that it exports, 7 ms.
 */
function inPlace(id) {
  if (!id.startsWith(DIST)) return null;
  let code = readFileSync(id, "utf8");
  if (code.includes(NATIVE)) {
    code = `import { createRequire as requireFrom } from "node:module";\n${code}`.replaceAll(
      NATIVE,
      'requireFrom(import.meta.url)("onnxruntime-node")',
    );
  }
  const own = `new URL(${JSON.stringify(`../${relative(DIST, id).split(sep).join("/")}`)}, import.meta.url).href`;
  return code.includes("import.meta.url") ? code.replaceAll("import.meta.url", own) : null;
}
