/** `strata index --watch` over a fake engine, and an index whose writer is killed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { saveImage } from "../../../src/node/images.js";
import { folderStore, openIndex, saveVocabulary, watchFolders } from "../../../src/node/search/index.js";
import { indexImages } from "../../../src/node/search/index-images.js";
import { createIndex, type SearchIndex } from "../../../src/search/index.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";
import { drawnFeatures, extractorOf, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

const { path, remove } = temporaryFolder();
const photos = path("photos");

const saveShade = (to: string, shade: number) =>
  saveImage(to, { width: 32, height: 24, data: new Uint8Array(3 * 32 * 24).fill(shade) });

beforeAll(async () => {
  mkdirSync(photos);
  const words = await smallVocabulary();
  await saveVocabulary(path("words"), { ...words, model: { name: "fake", sha256: "00" } });
});
afterAll(remove);

async function ids(folder: string): Promise<string[]> {
  const index = await openIndex(folderStore(folder));
  const entries = [...(await index.entries()).keys()].map((id) => id.slice(photos.length + 1)).sort();
  await index.close();
  return entries;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20);
}

it("takes new, changed and gone files while it watches, new folders and what changed during the first pass too", async () => {
  const fake = fakeStrata();
  [fake.dim, fake.verdict, fake.features] = [64, VERDICT, ({ data }) => drawnFeatures(data[0])];
  for (const shade of [1, 2]) await saveShade(`${photos}/${shade}.png`, shade);
  // The fake's first image arrives while its first pass is at work.
  fake.onImage = ({ data }) => {
    if (data[0] === 1) void saveShade(`${photos}/3.png`, 3);
  };
  const folder = path("watched.index");
  const running = fake.run(
    "index",
    photos,
    "--out",
    folder,
    "--model",
    "fake",
    "--vocabulary",
    path("words"),
    "--watch",
  );
  await until(
    async () => readdirSync(path()).includes("watched.index") && readdirSync(folder).includes("manifest.json"),
  );
  await until(async () => (await ids(folder)).join() === "1.png,2.png,3.png");
  mkdirSync(`${photos}/more`);
  await saveShade(`${photos}/more/4.png`, 4);
  await until(async () => (await ids(folder)).join() === "1.png,2.png,3.png,more/4.png");
  rmSync(`${photos}/1.png`);
  await saveShade(`${photos}/2.png`, 22);
  await until(async () => (await ids(folder)).join() === "2.png,3.png,more/4.png");
  await until(async () => {
    const index = await openIndex(folderStore(folder));
    const { results } = await index.search(seenAgain(drawnFeatures(22), 5));
    await index.close();
    return results[0]?.found === true && results[0].id.endsWith("/2.png");
  });
  expect(fake.extracted).toBe(5);
  fake.interruptAfter = fake.extracted;
  await saveShade(`${photos}/5.png`, 5);
  const { code, err, out } = await running;
  expect(code).toBe(130);
  expect(err).toMatch(/watching .*photos; Ctrl-C stops/);
  expect(err).toMatch(/interrupted; \d images are in .*watched\.index/);
  expect(out).toMatch(/1 image added/);
});

it("says which folder cannot be watched, and stops with its signal", async () => {
  const { signal } = new AbortController();
  expect(() => watchFolders([path("nowhere")], signal)).toThrow(/cannot watch .*nowhere/);
  const stop = new AbortController();
  const changes = watchFolders([photos], stop.signal);
  const waiting = changes.next();
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
});

/** Nine images by a process that kills itself in the middle of its n-th write; commits come every two images. */
const CHILD = `
import { folderStore, indexImages, openIndex } from ${JSON.stringify(fileURLToPath(new URL("../../../src/node/search/index.js", import.meta.url)))};
import { extractorOf } from ${JSON.stringify(fileURLToPath(new URL("./samples.js", import.meta.url)))};
const [folder, fatal, ...paths] = process.argv.slice(1);
const store = folderStore(folder);
let writes = 0;
const { write } = store;
store.write = (file, content) => write(file, ++writes < Number(fatal) ? content : (async function* () {
  if (content instanceof Uint8Array) yield content.subarray(0, content.length >> 1);
  else for await (const piece of content) { yield piece.subarray(0, piece.length >> 1); break; }
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
})());
const index = await openIndex(store, { write: true });
await indexImages(index, paths, extractorOf(), { commitEvery: 2, onProgress: ({ added, unchanged }) => {
  if (index.uncommitted === 0) console.log(added + unchanged);
} });
`;

it("loses nothing that was committed when it is killed, and goes on to the same index", async () => {
  const paths: string[] = [];
  for (let i = 0; i < 9; i++) {
    paths.push(path(`killed-${i}.png`));
    await saveShade(paths[i], 100 + i);
  }
  const make = async (name: string) => {
    const vocabulary = await smallVocabulary();
    const index = await createIndex(folderStore(path(name)), { vocabulary, verdict: VERDICT });
    await index.close();
  };
  await make("killed.index");
  const folder = path("killed.index");
  // The fourth write is the second manifest, and the third of the next process its second segment.
  let confirmed = 0;
  for (const fatal of [4, 3]) {
    const child = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", CHILD, folder, `${fatal}`, ...paths],
      { encoding: "utf8" },
    );
    expect([child.signal, child.stderr]).toEqual(["SIGKILL", ""]);
    confirmed = Math.max(confirmed, ...child.stdout.trim().split("\n").map(Number));
    const reader = await openIndex(folderStore(folder));
    expect(reader.info().images).toBeGreaterThanOrEqual(confirmed);
    expect(await reader.check()).toEqual([]);
    for (const id of paths.slice(0, confirmed)) expect((await reader.entries()).has(id)).toBe(true);
    await reader.close();
  }
  expect(confirmed).toBe(4);
  await make("whole.index");
  const bytes: Buffer[] = [];
  for (const name of ["killed.index", "whole.index"]) {
    const index: SearchIndex = await openIndex(folderStore(path(name)), { write: true });
    const { added, unchanged } = await indexImages(index, paths, extractorOf());
    expect(added + unchanged).toBe(9);
    await index.merge();
    const [segment, ...others] = readdirSync(path(name)).filter((file) => file.startsWith("segment"));
    expect(others).toEqual([]);
    bytes.push(readFileSync(path(name, segment)));
    await index.close();
  }
  expect(bytes[0].equals(bytes[1])).toBe(true);
});
