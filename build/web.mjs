// The scripts of the library's own workers: each whole in itself, for pages with any bundler or none. They stand beside the
// other files of the web door, and as texts for bundlers that copy no worker's file.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const WEB = fileURLToPath(new URL("../dist/web/", import.meta.url));

for (const name of ["worker", "worker-jspi", "worker-asyncify"]) {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: [join(WEB, `${name}.js`)],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    target: "es2022",
    // The runtime asks where its script lies to find files beside it: it is told their addresses. What is left is the
    // script of its threads, which is this one. Bundlers would take the form with import.meta for files to copy.
    define: { "import.meta.url": "self.location.href" },
    legalComments: "inline",
  });
  // What it imports by address is for no bundler to find.
  const script = outputFiles[0].text.replace(
    /\bimport\((?=[\w$]+\))/g,
    "import(/*webpackIgnore:true*//*@vite-ignore*/",
  );
  const [{ imports, exports }] = Object.values(metafile.outputs);
  const outside = imports.filter(({ path }) => path !== "module").map(({ path }) => path);
  if (outside.length || exports.length) throw new Error(`${name}: not whole: it has ${[...outside, ...exports]}`);
  writeFileSync(join(WEB, `${name}.js`), script);
  writeFileSync(join(WEB, `${name}-text.js`), `export const SCRIPT = ${JSON.stringify(script)};\n`);
}

// The web door as one script for pages without a bundler: `import … from ".../strata-features/dist/web/standalone.js"`.
// Beside it lie the workers; what few pages need (HDF5, SQLite, tracing, the runtime in the page) is looked for in the
// page's import map.
const bundled = await esbuild.build({
  entryPoints: [join(WEB, "index.js")],
  bundle: true,
  write: false,
  minify: true,
  keepNames: true,
  format: "esm",
  target: "es2022",
  external: [
    "@jax-js/jax",
    "h5wasm",
    "sql.js",
    "onnxruntime-web/*",
    "./worker*-text.js",
    "@observablehq/plot",
    "linkedom",
  ],
  legalComments: "inline",
});
const WASM = 'new URL("onnxruntime-web/ort-wasm';
const [page] = bundled.outputFiles.map(({ text }) => text);
if (page.split(WASM).length !== 4) throw new Error("standalone: where are the three addresses of the runtime?");
// Packages lie beside each other.
writeFileSync(join(WEB, "standalone.js"), page.replaceAll(WASM, 'new URL("../../../onnxruntime-web/dist/ort-wasm'));
writeFileSync(join(WEB, "standalone.d.ts"), 'export * from "./index.js";\n');
