/** The web app: static files that work from any folder. It uses what `npm run build` has made, as a user's page does. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { defineConfig, type Plugin } from "vite";
import { drawDemoPair } from "../demo/draw.js";

const root = fileURLToPath(new URL(".", import.meta.url));
const built = fileURLToPath(new URL("../dist/", import.meta.url));

const SAMPLES = "virtual:first-samples";

/** The pair that the page begins with, drawn when the page is built: drawing takes a second, and several on a telephone. */
function firstSamples(): Plugin {
  let isBuilt = false;
  return {
    name: "first-samples",
    configResolved({ command }) {
      isBuilt = command === "build";
    },
    resolveId: (id) => (id === SAMPLES ? `\0${SAMPLES}` : null),
    async load(id) {
      if (id !== `\0${SAMPLES}`) return null;
      const addresses: string[] = [];
      const { a, b } = drawDemoPair(7);
      for (const [k, { width, height, data }] of [a, b].entries()) {
        const source = await sharp(data, { raw: { width, height, channels: 3 } })
          .jpeg({ quality: 88 })
          .toBuffer();
        const name = `sample-${"ab"[k]}.jpg`;
        addresses.push(
          isBuilt
            ? `import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: "asset", name, source })}`
            : `"data:image/jpeg;base64,${source.toString("base64")}"`,
        );
      }
      return `export default [${addresses}];`;
    },
  };
}

/**
 * The service worker, with the names of the files that the page begins with. What it asks for later (a runtime, a model, the
 * worker) is kept when it is asked for: nobody loads what is not needed.
 */
function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    generateBundle(_, bundle) {
      const first = Object.values(bundle).filter(
        (file) => /\.(css|jpg)$/.test(file.fileName) || ("isEntry" in file && file.isEntry),
      );
      const files = ["./", "./icon.svg", "./manifest.webmanifest", ...first.map(({ fileName }) => `./${fileName}`)];
      const version = createHash("sha256").update(Object.keys(bundle).join("\n")).digest("hex").slice(0, 12);
      const source = SERVICE_WORKER.replace("<version>", version).replace("<files>", JSON.stringify(files));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

/** Names of files change with what is in them, so what is kept never grows old; the page itself is fetched anew first. */
const SERVICE_WORKER = `const CACHE = "strata-app-<version>";
const FILES = <files>;
self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("strata-app-") && name !== CACHE;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.location.origin)) return;
  event.respondWith(answer(request));
});
async function answer(request) {
  const cache = await caches.open(CACHE);
  const page = request.mode === "navigate";
  // An address with a fragment would be kept beside the page's own.
  const key = page ? "./" : request;
  const kept = await cache.match(key, { ignoreSearch: true });
  if (kept && !page) return kept;
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(key, fresh.clone());
    return fresh;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}
`;

export default defineConfig({
  root,
  base: "./",
  resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.+)$/, replacement: `${built}$1` }] },
  worker: { format: "es" },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022", chunkSizeWarningLimit: 600 },
  plugins: [firstSamples(), offline()],
  server: { host: "127.0.0.1" },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
});
