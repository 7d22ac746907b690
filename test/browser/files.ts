/** A server of the built package for tests of pages: counts what is asked for, and can fail in the ways servers do. */
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** What the page finds under each first part of an address. */
const MOUNTS: Record<string, string> = {
  "/node_modules/strata-features/": ROOT,
  "/node_modules/": join(ROOT, "node_modules"),
  // Where a script at the server's root looks for the package's models.
  "/models/": join(ROOT, "models"),
};

/** The runtime in the page itself, and what targets are packed with, are looked for by the page's import map. */
const BLANK = `<!doctype html><title>strata</title><link rel=icon href=data:,>
<script type=importmap>{"imports":{"fflate":"/node_modules/fflate/esm/browser.js","onnxruntime-web/jspi":"/node_modules/onnxruntime-web/dist/ort.jspi.bundle.min.mjs","onnxruntime-web/wasm":"/node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs"}}</script>`;

/** The web door as one script. */
export const DOOR = "/node_modules/strata-features/dist/web/standalone.js";

/** The door of tracking. */
export const TRACK = "/node_modules/strata-features/dist/track/index.js";

/** Headers of a cross-origin isolated page, which has threads. */
export const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export type Failure = "missing" | "page" | "cut" | "damaged" | "slow";

export interface PackageServer {
  address: string;
  /** Paths that were asked for, in order. */
  asked: string[];
  /** What is wrong with answers to paths that match. */
  fail: { pattern: RegExp; how: Failure }[];
  close(): Promise<void>;
}

/** Serves the package at /node_modules/strata-features/ and a blank page at /, and what the tests run in it at
 * /page.js; `headers` come with every answer, `files` are texts or bytes at further paths. */
export async function servePackage(
  headers: Record<string, string> = {},
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<PackageServer> {
  if (!existsSync(join(ROOT, "dist/web/standalone.js"))) throw new Error("dist is missing: run npm run build first");
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    asked.push(pathname);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const { how } = served.fail.find(({ pattern }) => pattern.test(pathname)) ?? {};
    if (how === "cut") return void request.socket.destroy();
    if (how === "missing") return void response.writeHead(404).end();
    if (how === "slow") return void response.writeHead(200, { "Content-Length": "1000" }).write("x");
    if (pathname === "/" || how === "page")
      return void response.writeHead(200, { "Content-Type": "text/html" }).end(BLANK);
    if (files[pathname] !== undefined) {
      const type = TYPES[pathname.slice(pathname.lastIndexOf("."))] ?? "application/octet-stream";
      return void response.writeHead(200, { "Content-Type": type }).end(files[pathname]);
    }
    if (pathname === "/page.js") {
      const { code } = transformSync(readFileSync(join(ROOT, "test/browser/web-page.ts"), "utf8"), { loader: "ts" });
      return void response.writeHead(200, { "Content-Type": "text/javascript" }).end(code);
    }
    const mount = Object.keys(MOUNTS).find((start) => pathname.startsWith(start));
    const path = mount && join(MOUNTS[mount], normalize(decodeURIComponent(pathname.slice(mount.length))));
    if (!path || !existsSync(path) || !statSync(path).isFile()) return void response.writeHead(404).end();
    const type = TYPES[path.slice(path.lastIndexOf("."))] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Content-Length": statSync(path).size });
    const file = createReadStream(path);
    if (how !== "damaged") return void file.pipe(response);
    file.on("data", (part) => response.write((part as Buffer).map((byte) => byte ^ 1)));
    file.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const served: PackageServer = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    fail: [],
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return served;
}
