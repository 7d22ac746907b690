/** Graphs kept for the next run: the same features, and never one that does not fit. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DenseExtractor, type KeptGraphs } from "../../../src/extract/dense.js";
import { extractOptions } from "../../../src/extract/options.js";
import { preparedKey } from "../../../src/extract/prepared.js";
import { openStrata } from "../../../src/families.js";
import type { FloatFeatures } from "../../../src/features.js";
import { describeKept, keptGraphs } from "../../../src/node/graph-cache.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { noiseImage, SLIM, strataTensors } from "../../models.js";

const IMAGE = noiseImage(40, 40);
const opened = openStrata("tiny", strataTensors(SLIM), SLIM, "5a");
const KEY = preparedKey(opened);
const temporary = mkdtempSync(join(tmpdir(), "strata-graphs-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
let folders = 0;
const freshFolder = (): string => join(temporary, String(folders++), "graphs");

/** Options that are read in the graph, and such that are read off the maps. */
const OPTIONS = { inside: {}, maps: { refine: "grid" } } as const;
type Kind = keyof typeof OPTIONS;

async function extract(kind: Kind, kept: KeptGraphs | null) {
  const options = extractOptions(OPTIONS[kind], opened.defaults);
  const extractor = new DenseExtractor(opened.model, options, { runtime: nodeRuntime, threads: 1, kept });
  const features = await extractor.extract(IMAGE);
  const { graph } = extractor.info;
  await extractor.dispose();
  return { features, graph };
}

const expected = {} as Record<Kind, FloatFeatures>;
beforeAll(async () => {
  for (const kind of ["inside", "maps"] as const) expected[kind] = (await extract(kind, null)).features;
  expect(expected.inside).not.toEqual(expected.maps);
});

describe("kept graphs", () => {
  it.each(["inside", "maps"] as const)("are traced once, then opened, with the same features: %s", async (kind) => {
    const folder = freshFolder();
    const first = await extract(kind, keptGraphs(KEY, folder));
    expect(first).toEqual({ features: expected[kind], graph: { prepared: false } });
    const files = readdirSync(folder);
    expect(files).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.onnx$/)]);
    // Weights are the model's file's, not the cache's.
    expect((await describeKept(folder)).bytes).toBeLessThan(100_000);
    const kept = join(folder, files[0]);
    expect(await extract(kind, keptGraphs(KEY, folder))).toEqual({
      features: expected[kind],
      graph: { prepared: true, kept },
    });
  });

  it("are one for each code, model, configuration and options", async () => {
    const folder = freshFolder();
    const keys = [KEY, ...Object.keys(KEY).map((part) => ({ ...KEY, [part]: "other" }))];
    for (const key of keys) {
      expect((await extract("inside", keptGraphs(key, folder))).graph).toEqual({ prepared: false });
    }
    await extract("maps", keptGraphs(KEY, folder));
    expect(await describeKept(folder)).toMatchObject({ folder, graphs: keys.length + 1 });
  });

  it("are made anew where they are damaged, or another's under their name", async () => {
    const folder = freshFolder();
    await extract("inside", keptGraphs(KEY, folder));
    const [name] = readdirSync(folder);
    const path = join(folder, name);
    const whole = readFileSync(path);
    const wrong = whole.slice();
    wrong[whole.length >> 1] ^= 1;
    await extract("inside", keptGraphs({ ...KEY, weights: "other" }, folder));
    const other = readFileSync(join(folder, readdirSync(folder).find((one) => one !== name) as string));
    for (const content of [wrong, whole.subarray(0, 1000), Buffer.alloc(0), Buffer.from("text"), other]) {
      writeFileSync(path, content);
      const found = await extract("inside", keptGraphs(KEY, folder));
      expect(found).toEqual({ features: expected.inside, graph: { prepared: false } });
      expect((await extract("inside", keptGraphs(KEY, folder))).graph).toEqual({ prepared: true, kept: path });
    }
  });

  it("are not kept where the folder cannot be made or holds something else under the name; all the rest is as ever", async () => {
    const blocked = join(temporary, "a file");
    writeFileSync(blocked, "");
    const folder = freshFolder();
    await extract("inside", keptGraphs(KEY, folder));
    const [name] = readdirSync(folder);
    rmSync(join(folder, name));
    mkdirSync(join(folder, name));
    for (const place of [join(blocked, "graphs"), blocked, folder]) {
      expect(await extract("inside", keptGraphs(KEY, place))).toEqual({
        features: expected.inside,
        graph: { prepared: false },
      });
    }
    expect(await describeKept(join(blocked, "graphs"))).toMatchObject({ graphs: 0, bytes: 0 });
  });

  it("stay few and small: those used longest ago go, and nothing else in the folder does", async () => {
    const folder = freshFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "notes.txt"), "mine");
    const named = (i: number): string => join(folder, `${i.toString(16).padStart(64, "0")}.onnx`);
    for (let i = 0; i < 70; i++) {
      writeFileSync(named(i), new Uint8Array(i < 60 ? 10 : 2 ** 21));
      utimesSync(named(i), 1000 + i, 1000 + i);
    }
    const store = keptGraphs(KEY, folder);
    expect(await store.read({ ...KEY, options: "none" })).toBeNull();
    await store.keep({ ...KEY, options: "large" }, new Uint8Array(8 * 2 ** 20 + 1));
    expect((await describeKept(folder)).graphs).toBe(70);
    await store.keep({ ...KEY, options: "new" }, new Uint8Array(100));
    const left = readdirSync(folder);
    expect(left).toContain("notes.txt");
    expect((await describeKept(folder)).graphs).toBe(64);
    expect(await store.read({ ...KEY, options: "new" })).not.toBeNull();
    expect(statSync(named(7)).size).toBe(10);
    expect(left).not.toContain(named(6).slice(folder.length + 1));
    // Bytes count too.
    for (let i = 0; i < 9; i++) await store.keep({ ...KEY, options: String(i) }, new Uint8Array(8 * 2 ** 20));
    const { bytes, graphs } = await describeKept(folder);
    expect(bytes).toBeLessThanOrEqual(64 * 2 ** 20);
    expect(graphs).toBeGreaterThan(7);
  });
});
