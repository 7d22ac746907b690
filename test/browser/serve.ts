/** Serves the sources with Vite on loopback and opens a page in headless Chromium, for tests and benchmarks. */
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { ISOLATED } from "./files.js";

export const CHROMIUM = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Headless Chromium as the tests use it, however long it takes to start. */
export const launch = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...args], timeout: 0 });

/** A page whose actions wait for what they need without a limit: the test's own ends what hangs. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(0);
  return page;
}

export interface Served {
  page: Page;
  /** Console errors and uncaught exceptions so far. */
  errors: string[];
  close(): Promise<void>;
}

/** A blank page on a server from which it can import `/src/…` and `/test/…` modules and fetch `/models/…`. */
export async function servePage(): Promise<Served> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const server: ViteDevServer = await createServer({
    root,
    configFile: false,
    logLevel: "error",
    server: {
      host: "127.0.0.1",
      port: 0,
      headers: ISOLATED,
    },
    // onnxruntime-web finds its wasm files relative to its own module, which prebundling would move.
    optimizeDeps: { exclude: ["onnxruntime-web"], include: ["h5wasm", "fflate"] },
    cacheDir: "node_modules/.vite-test",
    plugins: [
      {
        name: "blank-page",
        configureServer: ({ middlewares }) => {
          middlewares.use("/blank", (_, response) => {
            // Vite's own headers are not on what others answer.
            for (const [header, value] of Object.entries(ISOLATED)) response.setHeader(header, value);
            response.setHeader("Content-Type", "text/html");
            response.end("<!doctype html><title>strata</title><link rel=icon href=data:,>");
          });
        },
      },
    ],
  });
  await server.listen();
  const browser = await launch();
  const page = await openPage(browser);
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  const address = server.httpServer?.address() as AddressInfo | undefined;
  await page.goto(`http://127.0.0.1:${address?.port}/blank`);
  return {
    page,
    errors,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
