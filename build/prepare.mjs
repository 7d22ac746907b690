// Prepares the graphs of the models that ship with what dist/ has, and marks dist/ with the digest of the code that did it.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const DIST = join(ROOT, "dist");

/** What decides how a graph looks: the code of these folders, and what traces and writes it. */
const FOLDERS = ["graph", "model", "extract"];
const LIBRARIES = ["@jax-js/jax", "onnx-buf"];
/** The file that holds the digest; it is not part of what is digested. */
const MARKED = join(DIST, "extract", "prepared.js");

const PLACE = /^const CODE = "\w*";$/m;
const unmarked = readFileSync(MARKED, "utf8");
if (!PLACE.test(unmarked)) throw new Error(`${MARKED}: no place for the digest of the code`);
writeFileSync(MARKED, unmarked.replace(PLACE, `const CODE = "${digest()}";`));
// Imported now that it is there, and marked.
const { prepareModel } = await import(new URL("../dist/node/prepare-models.js", import.meta.url).href);
const MODELS = join(ROOT, "models");
for (const name of readdirSync(MODELS)) {
  const folder = join(MODELS, name);
  if (existsSync(join(folder, "model.safetensors"))) await prepareModel(folder);
}

/** SHA-256 of the code and the versions of the libraries. */
function digest() {
  const hash = createHash("sha256");
  for (const folder of FOLDERS) {
    const files = readdirSync(join(DIST, folder), { recursive: true }).filter((file) => file.endsWith(".js"));
    for (const file of files.sort()) {
      const path = join(DIST, folder, file);
      if (path !== MARKED) hash.update(`${folder}/${file}\n`).update(readFileSync(path));
    }
  }
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of LIBRARIES) hash.update(`${name} ${dependencies[name]}\n`);
  return hash.digest("hex");
}
