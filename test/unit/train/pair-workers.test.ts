/** Pairs made in worker threads: the same as here, errors as they were, a thread's end told by the pair it made. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, OptionError, StateError } from "../../../src/errors.js";
import { saveImage } from "../../../src/node/images.js";
import { openPairWorkers } from "../../../src/node/train/pair-workers.js";
import type { SourceSpec } from "../../../src/node/train/sources.js";
import { groupsOf } from "../../../src/train/loader.js";
import { noiseImage } from "../../models.js";
import { temporaryFolder } from "../cli/fake.js";
import type { ModuleOptions } from "./pairs-module.js";

const folder = temporaryFolder();
const photos: SourceSpec = {
  kind: "photos",
  options: { folder: folder.path("photos"), cropSize: 48, pairsPerPhoto: 3, seed: 11 },
};
const made = (options: ModuleOptions): SourceSpec => ({
  kind: "module",
  url: new URL("./pairs-module.ts", import.meta.url).href,
  options,
});
afterAll(() => folder.remove());
beforeAll(async () => {
  mkdirSync(folder.path("photos"));
  for (let i = 0; i < 4; i++) await saveImage(folder.path(`photos/${i}.png`), noiseImage(80 + i, 70, i));
  writeFileSync(folder.path("photos/broken.jpg"), "no photograph");
});

describe("openPairWorkers", () => {
  it("gives the same pairs with any number of threads", async () => {
    const here = await openPairWorkers(photos, { workers: 0 });
    const all = (source: typeof here) => Promise.all(Array.from({ length: 15 }, (_, i) => source.pair(2, i)));
    const wanted = await all(here);
    expect(wanted.filter((pair) => "skipped" in pair)).toHaveLength(3);
    for (const workers of [1, 3]) {
      const source = await openPairWorkers(photos, { workers });
      try {
        expect([source.digest, source.length]).toEqual([here.digest, 15]);
        expect(await all(source)).toEqual(wanted);
        // Again, by threads that have done other pairs before.
        expect(await all(source)).toEqual(wanted);
      } finally {
        await source.dispose();
      }
    }
    await here.dispose();
  });

  it("feeds the loader, which keeps the order", async () => {
    const source = await openPairWorkers(photos, { workers: 2 });
    try {
      const task = { grid: { width: 6, height: 6, scale: 8, shift: 3.5 }, minCorrespondences: 1 };
      const ids: string[] = [];
      for await (const group of groupsOf(source, task, { epoch: 0, index: 0 }, { batch: 2, accumulate: 2 })) {
        ids.push(...group.batches.flatMap(({ pairs }) => pairs.map(({ id }) => id)));
      }
      expect(ids).toHaveLength(12);
      const places = ids.map((id) => Number(id.split(" ").pop()));
      expect(places).toEqual([...places].sort((a, b) => a - b));
    } finally {
      await source.dispose();
    }
  });

  it("hands pixels over whole, keeps what sources share, and passes errors with their kind", async () => {
    const source = await openPairWorkers(made({ length: 9 }), { workers: 2 });
    try {
      const pair = await source.pair(6, 2);
      if ("skipped" in pair || pair.warp.kind !== "depth") throw new Error("a pair with depth was wanted");
      expect([pair.id, [...pair.images[0].data], [...pair.images[1].data]]).toEqual([
        "6/2",
        [6, 2, 2, 3, 4, 1],
        [6, 2, 2, 3, 4, 2],
      ]);
      expect(pair.warp.depths.map((depth) => [...depth])).toEqual([
        [2, 2],
        [2, 2],
      ]);
      for (const again of await Promise.all([source.pair(0, 2), source.pair(0, 2), source.pair(0, 4)])) {
        expect("skipped" in again || again.warp.kind !== "depth" || [...again.warp.poses[1]]).toEqual([1, 2, 3]);
      }
      expect(await source.pair(0, 1)).toEqual({ skipped: "pair 1 is none" });
      await expect(source.pair(0, 3)).rejects.toMatchObject({ code: "E_FORMAT", message: "pair 3 is damaged" });
      expect(await source.pair(0, 4)).toMatchObject({ id: "0/4" });
    } finally {
      await source.dispose();
    }
  });

  it("names the pair during which a thread ended, and makes no more", async () => {
    const source = await openPairWorkers(made({ length: 9 }), { workers: 1 });
    const asked = await Promise.allSettled([
      source.pair(4, 0),
      source.pair(4, 5),
      source.pair(4, 6),
      source.pair(4, 7),
    ]);
    expect(asked[0].status).toBe("fulfilled");
    for (const end of asked.slice(1)) {
      const reason = end.status === "rejected" ? (end.reason as Error) : undefined;
      expect(reason).toBeInstanceOf(StateError);
      expect(reason?.message).toMatch(/worker thread .* ended by itself while it made pair 5 of epoch 4.*exit code 7/);
    }
    await expect(source.pair(4, 0)).rejects.toThrow(/pair 5 of epoch 4/);
    await source.dispose();
  });

  it("ends its threads: what is waited for is rejected, what comes later too", async () => {
    const source = await openPairWorkers(made({ length: 9 }), { workers: 2 });
    const waiting = Promise.allSettled(Array.from({ length: 40 }, () => source.pair(0, 0)));
    await source.dispose();
    const ends = await waiting;
    expect(ends.filter(({ status }) => status === "rejected").length).toBeGreaterThan(30);
    await expect(source.pair(0, 0)).rejects.toThrow(/used after dispose/);
    await source.dispose();
  });

  it.each([
    ["fails", FormatError, /the data are damaged/],
    ["differs", StateError, /the data changed while it was being opened/],
    ["dies", StateError, /ended by itself while it was opened: exit code 9/],
  ] as const)("does not open when opening in a thread %s", async (opening, kind, message) => {
    const opened = openPairWorkers(made({ length: 9, opening }), { workers: 2 });
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toMatchObject({ code: new kind("").code });
  });

  it("refuses wrong options and modules without a source", async () => {
    await expect(openPairWorkers(photos, { workers: -1 })).rejects.toThrow(/"workers"/);
    await expect(openPairWorkers(photos, { workers: 1.5 })).rejects.toThrow(OptionError);
    await expect(openPairWorkers(photos, { threads: 1 } as object)).rejects.toThrow(/unknown option "threads"/);
    const module: SourceSpec = { kind: "module", url: new URL("./toy.ts", import.meta.url).href, options: null };
    await expect(openPairWorkers(module, { workers: 1 })).rejects.toThrow(/must export openPairs.*exports toyTask/);
    const none: SourceSpec = { kind: "photos", options: { folder: folder.path("none") } };
    await expect(openPairWorkers(none, { workers: 1 })).rejects.toThrow(/no such file or folder/);
  });
});
