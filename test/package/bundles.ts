/** The web door in bundles of three bundlers, none of them configured for it, and a server of what came out. */

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { build, createServer as createVite } from "vite";
import webpack from "webpack";

/**
 * What a page does that tracks a picture, and later matches it with another: the second part is loaded when it is asked for.
 * `model`: by name where the bundler copies files, else the address of its folder.
 */
const PAGE = (model: string) => `
import { frameReader, loadImage, openExtractor, setWasmPaths } from "strata-features/web";
import { compileTarget, createTracker } from "strata-features/track";
let extractor;
globalThis.trackPicture = async (a, b, wasm) => {
  if (wasm) setWasmPaths(wasm);
  extractor = await openExtractor({ model: ${JSON.stringify(model)}, maxFeatures: 500 });
  const target = await compileTarget(await loadImage(a), extractor);
  const tracker = createTracker({ targets: [target], extractor });
  const bitmap = await createImageBitmap(await (await fetch(b)).blob());
  const frame = frameReader(bitmap.width).read(bitmap);
  const { targets } = await tracker.process(frame);
  const { graph, session, worker, choice } = extractor.info;
  return { graph, backend: session.backend, worker, checked: choice.checked, state: targets[0].state };
};
globalThis.matchPair = async (a, b) => {
  const result = await (await import("./matching.mjs")).matchPair(extractor, a, b);
  await extractor.dispose();
  return result;
};
`;

const MATCHING = `
import { loadImage, matchFeatures, verifyMatches } from "strata-features/web";
export async function matchPair(extractor, a, b) {
  const [first, second] = [await extractor.extract(a), await extractor.extract(await loadImage(b))];
  const matches = await matchFeatures(first, second, { runtime: null });
  const { matrix, inliers } = await verifyMatches(first, second, matches);
  return {
    counts: [first.count, second.count], matches: matches.count, inliers: inliers.length, matrix: matrix && Array.from(matrix),
  };
}
`;

/** Writes the page's scripts into the folder. */
function writePage(folder: string, entry: string, model: string): void {
  writeFileSync(join(folder, entry), PAGE(model));
  writeFileSync(join(folder, "matching.mjs"), MATCHING);
}

/** Where a server of the folder has the model. */
const FOLDER = "/node_modules/strata-features/models/strata-t/";

const HTML = (script: string) =>
  `<!doctype html><title>strata</title><link rel=icon href=data:,><script type=module src="${script}"></script>`;

export interface Bundle {
  /** The page's address on the server of the folder. */
  page: string;
  /** Where the runtime's WASM lies, for a bundler that leaves it where it was. */
  wasm?: string;
}

/** Bundles the page in the folder; errors and warnings of the bundler, but those it always has, are failures. */
export const BUNDLERS: Record<string, (folder: string) => Promise<Bundle>> = {
  async Vite(folder) {
    writePage(folder, "vite-entry.js", "strata-t");
    writeFileSync(join(folder, "vite.html"), HTML("./vite-entry.js"));
    const outDir = join(folder, "out-vite");
    await build({
      ...{ root: folder, configFile: false, logLevel: "error", base: "/out-vite/" },
      build: { outDir, rollupOptions: { input: join(folder, "vite.html") } },
    });
    return { page: "/out-vite/vite.html" };
  },
  async "webpack 5"(folder) {
    writePage(folder, "webpack-entry.mjs", "strata-t");
    const path = join(folder, "out-webpack");
    await new Promise<void>((resolve, reject) => {
      webpack(
        { mode: "production", context: folder, entry: "./webpack-entry.mjs", output: { path } },
        (error, stats) => {
          if (error) reject(error);
          else if (stats?.hasErrors()) reject(new Error(stats.toString({ preset: "errors-only" })));
          else resolve();
        },
      );
    });
    writeFileSync(join(folder, "out-webpack/index.html"), HTML("./main.js"));
    return { page: "/out-webpack/index.html" };
  },
  async esbuild(folder) {
    writePage(folder, "esbuild-entry.mjs", FOLDER);
    const options = { bundle: true, format: "esm", splitting: true, minify: true, logLevel: "silent" } as const;
    const outdir = join(folder, "out-esbuild");
    await esbuild.build({ ...options, absWorkingDir: folder, entryPoints: ["esbuild-entry.mjs"], outdir });
    writeFileSync(join(folder, "out-esbuild/index.html"), HTML("./esbuild-entry.js"));
    return { page: "/out-esbuild/index.html", wasm: "/node_modules/onnxruntime-web/dist/" };
  },
};

const TYPES: Record<string, string> = {
  html: "text/html",
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
  json: "application/json",
  css: "text/css",
  svg: "image/svg+xml",
  webmanifest: "application/manifest+json",
};

export interface Taken {
  scripts: number;
  runtime: number;
  model: number;
  /** The page itself, styles, pictures. */
  rest: number;
  texts: string[];
}

export interface Files {
  address: string;
  /** What was asked for since the last call: bytes as gzip has them, and the texts of scripts. */
  taken(): Taken;
  close(): Promise<void>;
}

/** Vite's development server for a page of the folder. */
export async function serveByVite(root: string): Promise<{ address: string; close(): Promise<void> }> {
  const server = await createVite({
    ...{ root, configFile: false, logLevel: "error", server: { host: "127.0.0.1", port: 0 } },
  });
  await server.listen();
  const { port } = (server.httpServer as Server).address() as AddressInfo;
  return { address: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

/** Serves a folder on loopback. */
export async function serveFolder(folder: string): Promise<Files> {
  const none = (): Taken => ({ scripts: 0, runtime: 0, model: 0, rest: 0, texts: [] });
  let taken = none();
  const server: Server = createServer((request, response) => {
    const asked = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname));
    const path = join(folder, asked.endsWith("/") ? `${asked}index.html` : asked);
    if (!path.startsWith(folder) || !existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const bytes = readFileSync(path);
    const ending = path.slice(path.lastIndexOf(".") + 1);
    const isModel = /(model|graph|config)[^/]*\.(safetensors|onnx|json)$/.test(path);
    const kind =
      TYPES[ending] === "text/javascript" ? "scripts" : ending === "wasm" ? "runtime" : isModel ? "model" : "rest";
    taken[kind] += gzipSync(bytes).length;
    if (kind === "scripts") taken.texts.push(bytes.toString());
    response.writeHead(200, { "Content-Type": TYPES[ending] ?? "application/octet-stream" }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken() {
      const last = taken;
      taken = none();
      return last;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
