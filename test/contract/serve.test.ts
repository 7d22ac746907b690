/** The service as people run it: good requests, bad ones, too many of them, and its end by whatever means. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { resizeImage } from "../../src/image/resize.js";
import { encodePng, saveImage } from "../../src/node/images.js";
import { type Running, runStrata, startStrata, until } from "./command.js";

const TOKEN = "write-write-write";
const READ = "read-read-read-read";
let folder: string;
let query: Uint8Array<ArrayBuffer>;
let running: Running;
let url: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-serve-"));
  mkdirSync(at("photos"));
  for (let i = 0; i < 4; i++) {
    const { a, b } = drawDemoPair(i + 1);
    await saveImage(at("photos", `${i}.png`), resizeImage(a, 240, 180));
    if (i === 1) query = new Uint8Array(await encodePng(resizeImage(b, 240, 180)));
  }
  const model = ["--model", "strata-xs"];
  for (const args of [
    ["train-vocabulary", "photos", "--words", "32", "--out", "words"],
    ["photos", "--out", "photos.index", "--vocabulary", "words"],
  ]) {
    expect(runStrata(folder, ["index", ...args, ...model]).code).toBe(0);
  }
});
afterEach(async () => {
  running.child.kill("SIGKILL");
  await running.ended;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function serve(...args: string[]): Promise<void> {
  const env = { ...process.env, STRATA_TOKENS: TOKEN, STRATA_READ_TOKENS: READ };
  running = startStrata(folder, ["serve", "photos.index", "--port", "0", "--readers", "1", ...args], { env });
  await until(running, () => / at http:\S+,/.test(running.text()));
  url = / at (http:\S+),/.exec(running.text())?.[1] as string;
}

async function ask(method: string, path: string, body?: BodyInit, more: Record<string, string> = {}) {
  const type: Record<string, string> = body instanceof Uint8Array ? { "Content-Type": "image/png" } : {};
  const headers = { Authorization: `Bearer ${TOKEN}`, ...type, ...more };
  const answer = await fetch(url + path, { method, body, headers });
  const text = await answer.text();
  return { status: answer.status, value: text.startsWith("{") ? JSON.parse(text) : text, headers: answer.headers };
}

const bytes = (path: string) => new Uint8Array(readFileSync(at(path)));
const png = async (width: number, height: number) =>
  new Uint8Array(await encodePng({ width, height, data: new Uint8Array(3 * width * height).fill(90) }));

describe("strata serve", () => {
  it("finds, adds, replaces, removes and matches; a reader of the same index sees it; it ends when it is told to", async () => {
    await serve();
    const found = await ask("POST", "/search?top=2", query);
    expect(found).toMatchObject({
      status: 200,
      value: { images: 4, results: [{ id: "photos/1.png", found: true }, {}] },
    });
    const own = new FormData();
    own.set("image", new Blob([query]));
    expect((await ask("POST", "/search?top=1&region=0,0,120,120", own)).value.results).toHaveLength(1);
    expect(await ask("POST", "/images?id=new%2Fa", query)).toMatchObject({
      status: 201,
      value: { id: "new/a", images: 5 },
    });
    expect(await ask("POST", "/images?id=new%2Fa", query)).toMatchObject({
      status: 200,
      value: { replaced: true, images: 5 },
    });
    expect((await ask("POST", "/search", query)).value.results[0]).toMatchObject({
      id: "new/a",
      found: true,
    });
    // Another process reads while this one may write.
    expect(JSON.parse(runStrata(folder, ["index", "info", "photos.index", "--json"]).out).images).toBe(5);
    expect(runStrata(folder, ["serve", "photos.index", "--port", "0"]).err).toMatch(
      /another strata .* is at work in the index/,
    );
    expect(await ask("DELETE", "/images/new%2Fa")).toMatchObject({ status: 200, value: { removed: true, images: 4 } });
    expect(await ask("DELETE", "/images/new%2Fa")).toMatchObject({ status: 404 });
    const both = new FormData();
    both.set("a", new Blob([bytes("photos/1.png")]));
    both.set("b", new Blob([query]));
    expect((await ask("POST", "/match", both)).value).toMatchObject({ verdict: "same" });
    const { value: metrics } = await ask("GET", "/metrics");
    expect(metrics).toMatch(/^strata_requests_total\{method="DELETE",route="\/images\/:id",status="404"\} 1$/m);
    expect(metrics).toMatch(/^strata_index_images 4$/m);
    expect((await ask("GET", "/docs/json")).value.paths).toHaveProperty(["/search", "post", "summary"]);
    expect((await ask("GET", "/")).headers.get("content-security-policy")).toMatch(/frame-ancestors 'none'/);
    // What is at work is finished, and nothing is begun.
    const last = Array.from({ length: 6 }, () => ask("POST", "/search?top=1", query).catch(() => null));
    await Promise.race(last);
    running.child.kill("SIGTERM");
    const codes = (await Promise.all(last)).map((answer) => answer?.status ?? 503);
    expect(codes).toContain(200);
    expect(codes.filter((code) => code !== 200 && code !== 503)).toEqual([]);
    expect(await running.ended).toBe(0);
  });

  it("refuses what is wrong, too large, or not allowed, in plain words, and goes on", async () => {
    await serve("--body-limit", "0.5", "--pixel-limit", "1");
    const refused = async (status: number, words: RegExp, answer: ReturnType<typeof ask>) => {
      const { status: got, value } = await answer;
      expect([got, value]).toEqual([
        status,
        { code: expect.stringMatching(/^E_/), message: expect.stringMatching(words) },
      ]);
      expect(value.message).not.toMatch(/token.*write-write|\.ts:|node_modules/);
    };
    const as = (token: string) => ({ Authorization: `Bearer ${token}` });
    await refused(401, /give a token/, ask("POST", "/search", query, as("nobody-knows-this")));
    await refused(401, /give a token/, ask("POST", "/search", query, { Authorization: "" }));
    await refused(403, /may search, not change/, ask("POST", "/images?id=x", query, as(READ)));
    expect((await ask("POST", "/search", query, as(READ))).status).toBe(200);
    await refused(403, /pages of other sites/, ask("POST", "/search", query, { Origin: "http://elsewhere.example" }));
    await refused(413, /larger than this service takes/, ask("POST", "/search", new Uint8Array(600_000)));
    await refused(413, /pixels/, ask("POST", "/search", await png(10_000, 10_000)));
    await refused(
      422,
      /not an image|is no image|cannot be read/,
      ask("POST", "/search", new TextEncoder().encode("no picture")),
    );
    await refused(422, /./, ask("POST", "/search", query.slice(0, query.length / 3)));
    await refused(400, /empty/, ask("POST", "/search", new Uint8Array(0)));
    await refused(400, /id/, ask("POST", "/images", query));
    await refused(400, /id/, ask("POST", `/images?id=${"x".repeat(5000)}`, query));
    await refused(400, /top/, ask("POST", "/search?top=1000", query));
    await refused(400, /region/, ask("POST", "/search?region=1,2,3", query));
    await refused(400, /region/, ask("POST", "/search?region=0,0,9000,9000", query));
    await refused(400, /a form/, ask("POST", "/match", query));
    const half = new FormData();
    half.set("a", new Blob([query]));
    await refused(400, /no picture "b"/, ask("POST", "/match", half));
    const broken = { "Content-Type": "multipart/form-data; boundary=x" };
    await refused(400, /no form/, ask("POST", "/match", "--y\r\n", broken));
    await refused(415, /send a picture/, ask("POST", "/search", "{}", { "Content-Type": "application/json" }));
    await refused(404, /no such address/, ask("GET", "/nothing"));
    // One pixel is a query, in which there is nothing to find.
    expect(await ask("POST", "/search", await png(1, 1))).toMatchObject({
      status: 200,
      value: { results: [], keypoints: 0 },
    });
    expect(await ask("POST", "/images?id=dot", await png(1, 1))).toMatchObject({
      status: 201,
      value: { keypoints: 0 },
    });
    expect((await ask("DELETE", "/images/dot")).status).toBe(200);
    expect(running.text()).not.toContain(TOKEN);
  });

  it("takes what it can and refuses the rest at once; killed while it adds, it has lost nothing that it confirmed", async () => {
    await serve("--waiting", "2", "--per-client", "100");
    const many = await Promise.all(Array.from({ length: 12 }, () => ask("POST", "/search?top=1", query)));
    const codes = many.map(({ status }) => status);
    expect(codes.filter((code) => code === 200).length).toBeGreaterThanOrEqual(3);
    expect(codes.filter((code) => code === 503).length).toBeGreaterThanOrEqual(1);
    expect(codes.filter((code) => code !== 200 && code !== 503)).toEqual([]);
    expect(many.find(({ status }) => status === 503)?.headers.get("retry-after")).toBe("1");
    // Answered while a thread computes: the loop is free.
    const work = ask("POST", "/search", query);
    expect((await ask("GET", "/health")).value).toMatchObject({ status: "ok" });
    await work;
    const confirmed: string[] = [];
    const adding = (async () => {
      for (let i = 0; ; i++) {
        const { status } = await ask("POST", `/images?id=kill-${i}`, query);
        if (status === 201) confirmed.push(`kill-${i}`);
      }
    })().catch(() => {});
    await expect.poll(() => confirmed.length).toBeGreaterThan(2);
    running.child.kill("SIGKILL");
    await adding;
    await running.ended;
    await serve("--per-client", "1");
    for (const id of confirmed) expect((await ask("DELETE", `/images/${id}`)).status, id).toBe(200);
    expect(runStrata(folder, ["index", "check", "photos.index"]).code).toBe(0);
    // A body that does not come holds a place of its client's, and no more than that.
    const { hostname, port } = new URL(url);
    const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "image/png", "Content-Length": "1000" };
    const slow = request({ hostname, port, path: "/search", method: "POST", headers });
    slow.on("error", () => {});
    slow.write("x");
    await expect.poll(async () => (await ask("GET", "/metrics")).value).toMatch(/^strata_open 1$/m);
    expect((await ask("POST", "/search", query)).status).toBe(429);
    expect((await ask("POST", "/search", query, { Authorization: `Bearer ${READ}` })).status).toBe(200);
    slow.destroy();
    await expect.poll(async () => (await ask("POST", "/search", query)).status).toBe(200);
  });
});
