/** The same answer in a browser as in Node: features, matches and homography of the drawn pair, on WebAssembly. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { cornerError, matchFeatures, openExtractor, verifyMatches } from "../../src/node/index.js";
import { createIndex, folderStore } from "../../src/node/search/index.js";
import { agreement } from "../agreement.js";
import { drawnFeatures, seenAgain, smallVocabulary, VERDICT } from "../unit/search/samples.js";
import type * as InPage from "./in-page.js";
import { describeBrowser, type Served, servePage } from "./page.js";

describeBrowser("extraction in Chromium", () => {
  let served: Served;
  beforeAll(async () => {
    served = await servePage();
  });
  afterAll(() => served?.close());

  /** Calls a function of in-page.ts in the page. */
  const inPage = <T>(call: string): Promise<T> =>
    served.page.evaluate(`import("/test/browser/in-page.ts").then((module) => module.${call})`) as Promise<T>;

  it("agrees with Node, and leaves no console error", async () => {
    const pair = drawDemoPair(7);
    const there = await inPage<Awaited<ReturnType<typeof InPage.extractPair>>>("extractPair(1000)");
    const extractor = await openExtractor({ maxFeatures: 1000 });
    const [a, b] = await extractor.extractBatch([pair.a, pair.b]);
    const matches = await matchFeatures(a, b);
    const { matrix } = await verifyMatches(a, b, matches);
    await extractor.dispose();

    const points = {
      count: there.count,
      keypoints: Float32Array.from(there.keypoints),
      scores: Float32Array.from(there.scores),
      descriptors: Float32Array.from(there.descriptors),
    };
    const same = agreement(points, a);
    expect(same.share, JSON.stringify(same)).toBeGreaterThanOrEqual(0.995);
    expect(Math.abs(there.matches - matches.count)).toBeLessThanOrEqual(0.01 * matches.count);
    expect(there.session?.backend).toBe("wasm");
    expect(there.sha256).toBe(extractor.info.sha256);
    expect(cornerError(there.matrix, pair.truth, a.imageSize)).toBeLessThan(2);
    expect(cornerError(matrix, pair.truth, a.imageSize)).toBeLessThan(2);
    expect(served.errors).toEqual([]);
  });

  it("finds the same in tiles", async () => {
    const found = await inPage<Awaited<ReturnType<typeof InPage.extractInTiles>>>("extractInTiles()");
    const [whole, tiled] = found.map(({ count, ...lists }) => ({
      count,
      keypoints: Float32Array.from(lists.keypoints),
      scores: Float32Array.from(lists.scores),
      descriptors: Float32Array.from(lists.descriptors),
    }));
    expect(whole.count).toBe(500);
    expect(tiled.count).toBe(500);
    const same = agreement(tiled, whole, { position: 1e-3, score: 1e-5, descriptor: 1e-4 });
    expect(same.share, JSON.stringify(same)).toBe(1);
  });

  it("ranks an index that Node has written as Node does, reading parts of its files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "strata-index-"));
    try {
      const vocabulary = await smallVocabulary();
      const index = await createIndex(folderStore(folder), { vocabulary, verdict: VERDICT });
      for (let i = 0; i < 30; i++) {
        await index.add({ id: `${i}.jpg`, features: drawnFeatures(i) });
        if (i % 12 === 11) await index.commit();
      }
      await index.commit();
      const here = (await index.search(seenAgain(drawnFeatures(5), 9005))).results;
      await index.close();
      let asked = 0;
      await served.page.route("**/photos.index/*", async (route) => {
        const path = join(folder, decodeURIComponent(new URL(route.request().url()).pathname.split("/").at(-1) ?? ""));
        if (!existsSync(path)) return route.fulfill({ status: 404 });
        const bytes = readFileSync(path);
        const headers = { "content-length": `${bytes.length}` };
        const [, from, to] = /bytes=(\d+)-(\d+)/.exec(route.request().headers().range ?? "") ?? [];
        if (from === undefined) return route.fulfill({ status: 200, headers, body: "" });
        const part = bytes.subarray(Number(from), Number(to) + 1);
        asked++;
        return route.fulfill({ status: 206, body: part, headers: { "content-length": `${part.length}` } });
      });
      const { results, damaged } = await inPage<Awaited<ReturnType<typeof InPage.searchDrawn>>>(
        'searchDrawn("/photos.index/", 5)',
      );
      expect(damaged).toBe(0);
      const told = (list: typeof here) => list.map(({ id, score, found }) => ({ id, score, found }));
      expect(told(results)).toEqual(told(here));
      expect(results[0]).toMatchObject({ id: "5.jpg", found: true });
      expect(asked).toBeGreaterThan(3);
      expect(served.errors).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("decodes large images band by band", async () => {
    const result = await inPage<Awaited<ReturnType<typeof InPage.decodeLarge>>>("decodeLarge()");
    expect(result).toEqual({ size: [1500, 6001], wrong: 0 });
  });

  it("decodes an image of the page and says plainly what it cannot decode", async () => {
    const result = await inPage<Awaited<ReturnType<typeof InPage.decodeImages>>>("decodeImages()");
    expect(result.size).toEqual([3, 2]);
    expect(result.pixels).toEqual([10, 20, 30, 10, 20, 30, 255, 255, 255]);
    expect(result.bad).toMatch(/^E_FORMAT .*cannot decode/);
    expect(result.large).toMatch(/^E_LIMIT .*3×2/);
    expect(result.same).toEqual(Array(7).fill(true));
    expect(result.empty).toMatch(/^E_FORMAT .*is empty/);
    expect(result.psd).toMatch(/^E_UNSUPPORTED .*Photoshop/);
    expect(result.missing).toMatch(/^E_IO .*404/);
    expect([result.number, result.plain]).toEqual(Array(2).fill(expect.stringMatching(/^E_OPTION .*no image/)));
  });
});
