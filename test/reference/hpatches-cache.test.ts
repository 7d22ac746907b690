import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { curveOfCache } from "../../src/bench/cache.js";
import { FINAL_MODEL } from "../../src/bench/published-names.js";
import { readHpatchesCache, writeHpatchesCache } from "../../src/formats/hpatches-cache.js";
import { publishedCurves } from "../../src/node/bench/published.js";
import { describeShared } from "../shared.js";

describeShared("caches that the reference wrote", (shared) => {
  it.each([
    ["superpoint", "superpoint", 0.645],
    ["d2-net", "d2-net", 0.406],
    ["final", FINAL_MODEL, 0.27],
  ])("%s gives the published curve", async (file, name, mma3) => {
    const bytes = new Uint8Array(readFileSync(join(shared, `reference/formats/hpatches_cache/${file}.npy`)));
    const cache = readHpatchesCache(bytes, file);
    expect(cache.types.filter((type) => type === "i")).toHaveLength(52 * 5);
    expect(cache.types.filter((type) => type === "v")).toHaveLength(56 * 5);
    expect(cache.features).toHaveLength(108 * 6);
    const curve = curveOfCache(name, cache);
    const published = (await publishedCurves()).find((one) => one.name === name);
    if (!published) throw new Error(`no published curve ${name}`);
    for (const panel of ["overall", "illumination", "viewpoint"] as const) {
      expect(curve[panel]).toHaveLength(15);
      for (const [k, value] of published[panel].entries()) {
        expect(Math.abs(curve[panel][k] - value), `${panel} ${k + 1}`).toBeLessThan(1e-12);
      }
    }
    expect(curve.overall[2]).toBeCloseTo(mma3, 3);
    expect(curve.meanFeatures).toBeCloseTo(published.meanFeatures, 8);
    expect(curve.meanMatches).toBeCloseTo(published.meanMatches, 8);
    expect(readHpatchesCache(writeHpatchesCache(cache))).toEqual(cache);
  });

  it("the shipped curves are the published ones", async () => {
    const original: Record<string, object> = JSON.parse(
      readFileSync(join(shared, "reference/published_hpatches.json"), "utf8"),
    );
    const shipped = await publishedCurves();
    expect(shipped.map(({ name }) => name)).toEqual(Object.keys(original));
    for (const curve of shipped) expect(curve).toMatchObject(original[curve.name]);
  });
});
