/** `strata match-features`: what it says, and that what it keeps is gone on with. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Context, openInterrupt } from "../../../src/cli/context.js";
import { nodeEngine } from "../../../src/cli/engine.js";
import { main } from "../../../src/cli/main.js";
import type { Features } from "../../../src/features.js";
import { readHlocMatches, writeHlocFeatures } from "../../../src/formats/hloc.js";
import { pairsByRule } from "../../../src/match/pairs.js";
import { matchMany } from "../../../src/node/match-many.js";
import { findPackage } from "../../../src/node/packages.js";
import { setPackageFinder } from "../../../src/peers.js";
import { sampleFeatures } from "../formats/samples.js";
import { temporaryFolder } from "./fake.js";

const folder = temporaryFolder();
const at = folder.path;
const NAMES = ["a.png", "my image.png", "sub/c.png", "your other image.png"];
const FEATURES = new Map<string, Features>(NAMES.map((name, i) => [name, sampleFeatures(9, { dim: 8, seed: i })]));

async function strata(argv: string[], { stop = false } = {}) {
  let [out, err] = ["", ""];
  const context: Context = {
    engine: nodeEngine,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    listenForInterrupt: () => {
      const interrupt = openInterrupt();
      if (stop) interrupt.stop();
      return interrupt;
    },
  };
  const code = await main(["match-features", at("f.h5"), ...argv], context);
  return { code, out, err };
}

/** Three of the six pairs are matched when the run is stopped. */
async function leaveHalf(out: string): Promise<void> {
  const stop = new AbortController();
  const onProgress = ({ matched }: { matched: number }) => matched === 3 && stop.abort();
  const pairs = pairsByRule("exhaustive", FEATURES.keys(), 1);
  await matchMany(FEATURES, pairs, at(out), { signal: stop.signal, onProgress, runtime: null }).catch(() => {});
}

beforeAll(async () => writeFileSync(at("f.h5"), await writeHlocFeatures(FEATURES)));
afterAll(folder.remove);

describe("a run that is stopped", () => {
  it("says how many pairs are kept, where, and how to go on; and goes on", async () => {
    await leaveHalf("m.h5");
    const [log, args] = [at("m.h5.parts"), ["--out", at("m.h5")]];
    const refused = await strata(args);
    expect([refused.code, refused.err]).toEqual([
      2,
      `strata: ${log} keeps finished pairs of a run that was stopped: --resume goes on with them, --force begins anew\n`,
    ]);
    const stopped = await strata([...args, "--resume"], { stop: true });
    expect([stopped.code, stopped.out, stopped.err]).toEqual([
      130,
      "",
      `strata: interrupted; 3 of 6 pairs are finished and kept in ${log}; the same command with --resume goes on from there\n`,
    ]);
    const { code, out } = await strata([...args, "--resume"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^6 pairs of 4 images, \d+ matches in .*; 3 were finished before\nwritten: .*m\.h5\n$/);
    const again = JSON.parse((await strata([...args, "--resume", "--json"])).out);
    expect(again).toMatchObject({ images: 4, pairs: 6, matched: 0, skipped: 6, ratio: null, output: at("m.h5") });
    expect(existsSync(log)).toBe(false);
  });

  it("before the first pair leaves nothing", async () => {
    const { code, err } = await strata(["--out", at("none.h5")], { stop: true });
    expect([code, err]).toEqual([130, "strata: interrupted before the first pair\n"]);
    expect(existsSync(at("none.h5.parts"))).toBe(false);
  });
});

it("does not write over what is there, nor over what it reads", async () => {
  writeFileSync(at("there.csv"), "mine");
  const said = async (...argv: string[]) => {
    const { code, err } = await strata(argv);
    return `${code} ${err}`;
  };
  expect(await said("--out", at("there.csv"))).toMatch(
    /^2 .*there already; --resume goes on with it, --force makes it anew\n$/,
  );
  expect(await said("--out", at("there.csv"), "--resume")).toMatch(
    /^2 .*nothing beside it says that it was made by match-features/,
  );
  expect(await said("--out", at("there.csv"), "--resume", "--force")).toMatch(/^2 .*give one of them\n$/);
  expect(await said("--out", at("f.h5"), "--force")).toMatch(/^2 .*f\.h5 is what is read and would be overwritten/);
  writeFileSync(at("p.txt"), "a.png\tmy image.png");
  expect(await said("--pairs", at("p.txt"), "--out", at("p.txt"), "--force")).toMatch(/^2 .*p\.txt is what is read/);
  expect(readFileSync(at("there.csv"), "utf8")).toBe("mine");
  expect(await said("--out", at("there.csv"), "--force")).toBe("0 ");
});

it("takes lists of names with spaces and scores, and says the line that it cannot read", async () => {
  const run = (list: string) => {
    writeFileSync(at("list.txt"), list);
    return strata(["--pairs", at("list.txt"), "--force", "--out", at("list.h5")]);
  };
  expect((await run('\uFEFF# scores\r\nmy image.png your other image.png 0.5\r\n"my image.png" a.png\r\n')).code).toBe(
    0,
  );
  const read = await readHlocMatches(readFileSync(at("list.h5")), { names: NAMES });
  expect(read.map(({ name0, name1 }) => [name0, name1])).toEqual([
    ["my image.png", "a.png"],
    ["my image.png", "your other image.png"],
  ]);
  expect(await run("a.png my image.png\na.png no image.png")).toMatchObject({
    code: 1,
    err: expect.stringContaining('list.txt: line 2: no split of "a.png no image.png" gives two images'),
  });
  expect(await run("# nothing")).toMatchObject({ code: 2, err: expect.stringContaining("no pair among 4 images") });
});

describe("an HDF5 file without the package that writes it", () => {
  const missing = (name: string) => (name === "h5wasm" ? null : findPackage(name));
  const PAIR = [[NAMES[0], NAMES[1]]] as const;
  afterEach(() => setPackageFinder(findPackage));

  it.each(["new.h5", "new.HDF5"])("is told before anything is read or written: %s", async (name) => {
    setPackageFinder(missing);
    // Features that are not there are not even looked for.
    const said = await strata(["--out", at(name), "--pairs", at("none.txt")]);
    expect(said.err).toContain("HDF5 files need the package h5wasm");
    expect(said.err).toContain("npm install h5wasm@");
    expect([said.code, existsSync(at(name)), existsSync(at(`${name}.parts`))]).toEqual([1, false, false]);
  });

  it("matchMany and convert say so too, and .csv needs none", async () => {
    setPackageFinder(missing);
    await expect(matchMany(FEATURES, PAIR, at("new.h5"), { runtime: null })).rejects.toThrow(/need the package h5wasm/);
    for (const outputs of [
      ["--to", "h5", "--out", at("new.h5")],
      ["--to", "csv", "--out", at("csv"), "--matches-out", at("new.h5")],
    ]) {
      let err = "";
      const context = { engine: nodeEngine, out: () => {}, err: (text: string) => (err += text), terminal: false };
      const code = await main(["convert", at("not-there.npz"), ...outputs], {
        ...context,
        listenForInterrupt: openInterrupt,
      } as Context);
      expect([code, err]).toEqual([1, expect.stringContaining("need the package h5wasm")]);
    }
    const result = await matchMany(FEATURES, PAIR, at("new.csv"), { runtime: null });
    expect(result.output).toBe(at("new.csv"));
  });
});
