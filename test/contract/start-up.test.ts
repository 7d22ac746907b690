/** What a command loads: the command line stands in few files (build/bundle.mjs), and a prepared model needs no tracing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "strata-start-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Addresses of the files that a command runs, as V8's account of what was covered lists them. */
function loadedBy(...argv: string[]): string[] {
  const coverage = mkdtempSync(join(folder, "coverage-"));
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "bin/strata.js"), ...argv], {
    encoding: "utf8",
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  });
  expect(status, stderr).toBe(0);
  const [file] = readdirSync(coverage);
  const { result } = JSON.parse(readFileSync(join(coverage, file), "utf8")) as { result: { url: string }[] };
  return result.map(({ url }) => url).filter((url) => url.startsWith("file:"));
}

const own = (urls: string[]): string[] => {
  const dist = pathToFileURL(join(ROOT, "dist")).href;
  return urls.filter((url) => url.startsWith(dist)).map((url) => url.slice(dist.length));
};

test("help loads one part of the command line, and neither a runtime nor what decodes images", () => {
  const loaded = loadedBy("--help");
  expect(own(loaded).length).toBeLessThanOrEqual(3);
  expect(loaded.filter((url) => /node_modules\/(onnxruntime|sharp|@jax-js)/.test(url))).toEqual([]);
});

test("match loads two parts of it, and nothing that traces or writes graphs", () => {
  const images = ["a", "b"].map((name) => {
    const path = join(folder, `${name}.pgm`);
    const pixels = Uint8Array.from({ length: 64 * 48 }, (_, i) => (i * 7919 * (name === "a" ? 1 : 3)) % 251);
    writeFileSync(path, Buffer.concat([Buffer.from("P5\n64 48\n255\n"), pixels]));
    return path;
  });
  const loaded = loadedBy("match", ...images, "--json");
  expect(own(loaded).length).toBeLessThanOrEqual(6);
  expect(own(loaded).every((path) => path.startsWith("/bundle/"))).toBe(true);
  expect(loaded.filter((url) => /node_modules\/(@jax-js|onnx-buf|@bufbuild|fflate)/.test(url))).toEqual([]);
});
