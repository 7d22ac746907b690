/** `strata index`, `search` and `duplicates` over an engine that finds drawn keypoints: their own logic, without a network. */
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FloatFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { saveImage } from "../../../src/node/images.js";
import { saveVocabulary } from "../../../src/node/search/vocabularies.js";
import { trainVocabulary } from "../../../src/search/index.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";
import { drawnFeatures, seenAgain, VERDICT } from "./samples.js";

const { path, remove } = temporaryFolder();
const fake = fakeStrata();
const index = path("photos.index");
const photos = path("photos");

/** An image's brightness says which picture it is, its second pixel whether it is seen anew. */
function featuresOf({ data }: Image): FloatFeatures {
  const picture = drawnFeatures(data[0]);
  return data[3] === 255 ? seenAgain(picture, 900 + data[0]) : picture;
}

async function saveShade(to: string, shade: number, again = false): Promise<void> {
  const data = new Uint8Array(3 * 640 * 480).fill(shade);
  if (again) data.fill(255, 3, 6);
  await saveImage(to, { width: 640, height: 480, data });
}

beforeAll(async () => {
  fake.features = featuresOf;
  fake.dim = 64;
  fake.verdict = VERDICT;
  const pictures = Array.from({ length: 20 }, (_, i) => drawnFeatures(500 + i, 40));
  const descriptors = new Float32Array(pictures.flatMap((one) => [...one.descriptors]));
  const starts = Uint32Array.from({ length: 21 }, (_, i) => 40 * i);
  const model = { name: "fake", sha256: "00" };
  await saveVocabulary(
    path("words"),
    await trainVocabulary(model, { descriptors, dim: 64, pictures: starts }, { words: 64, iterations: 3 }),
  );
  const { mkdirSync } = await import("node:fs");
  mkdirSync(`${photos}/more`, { recursive: true });
  for (const shade of [10, 20, 30]) await saveShade(`${photos}/${shade}.png`, shade);
  await saveShade(`${photos}/more/40.png`, 40);
  await saveShade(path("query.png"), 30, true);
  await saveShade(path("stranger.png"), 99);
});
afterAll(remove);

const indexing = (...more: string[]) =>
  fake.run("index", photos, "--out", index, "--model", "fake", "--vocabulary", path("words"), "--json", ...more);
const json = (text: string) => JSON.parse(text);

describe("strata index", () => {
  it("takes new, changed and gone files by their content, and tells what cannot be read", async () => {
    writeFileSync(`${photos}/broken.jpg`, "no image");
    const first = await indexing();
    expect(first.code).toBe(1);
    expect(json(first.out)).toMatchObject({ added: 4, changed: 0, unchanged: 0, removed: 0, images: 4 });
    expect(json(first.out).failed).toMatchObject([{ path: `${photos}/broken.jpg`, code: "E_FORMAT" }]);
    expect(first.err).toMatch(/1 of 5 images failed:\n {2}.*broken\.jpg/);
    rmSync(`${photos}/broken.jpg`);

    await saveShade(`${photos}/10.png`, 11);
    await saveShade(`${photos}/50.png`, 50);
    renameSync(`${photos}/20.png`, path("20.png"));
    const before = fake.extracted;
    const second = await indexing();
    expect(second.err).toBe("");
    expect(json(second.out)).toMatchObject({ added: 1, changed: 1, unchanged: 2, removed: 1, images: 4, failed: [] });
    expect(fake.extracted - before).toBe(2);
    expect(second.code).toBe(0);

    // Another folder leaves the first one's images alone.
    const other = await fake.run("index", path("20.png"), "--out", index, "--json");
    expect(json(other.out)).toMatchObject({ added: 1, removed: 0, images: 5 });
  });

  it("keeps what is finished when it is stopped, and goes on", async () => {
    const folder = path("stopped.index");
    fake.interruptAfter = 2;
    const run = () =>
      fake.run("index", photos, "--out", folder, "--model", "fake", "--vocabulary", path("words"), "--json");
    const stopped = await run();
    expect(stopped.code).toBe(130);
    expect(stopped.err).toMatch(/interrupted; 2 images are in .*stopped\.index, and the same command goes on/);
    fake.interruptAfter = Infinity;
    expect(json((await run()).out)).toMatchObject({ added: 2, unchanged: 2, images: 4 });
  });

  it("says what is wrong with a request", async () => {
    const said = async (...argv: string[]) => (await fake.run(...argv)).err;
    expect(await said("index")).toMatch(/no images named/);
    expect(await said("index", photos)).toMatch(/--out photos\.index/);
    expect(await said("index", path("nowhere"), "--out", index)).toMatch(
      /cannot read .*nowhere: there is no such file/,
    );
    expect(await said("index", photos, "--out", index, "--global", "delg")).toMatch(
      /ranks by words; leave the global model/,
    );
    expect(await said("index", photos, "--out", index, "--max-features", "5")).toMatch(
      /made with maxFeatures 1000, not 5/,
    );
    expect(await said("index", photos, "--out", index, "--kind", "vlad")).toMatch(/of kind asmk, not vlad/);
    expect(await said("index", photos, "--out", path("new.index"), "--model", "strata-s0")).toMatch(
      /strata-s0 has no vocabulary; train one/,
    );
    expect(
      await said("index", photos, "--out", path("query.png"), "--model", "fake", "--vocabulary", path("words")),
    ).toMatch(/query\.png/);
    fake.sha256 = "11";
    expect(await said("index", photos, "--out", index)).toMatch(
      /holds features of fake \(00\), not of other weights of fake \(11\)/,
    );
    expect(
      await said("index", photos, "--out", path("new.index"), "--model", "fake", "--vocabulary", path("words")),
    ).toMatch(/a vocabulary of fake \(00\), not of fake \(11\)/);
    expect(await said("search", index, path("query.png"))).toMatch(/not of other weights of fake/);
    fake.sha256 = "00";
    expect(existsSync(path("new.index"))).toBe(false);
  });

  it("info, remove, merge and check", async () => {
    const info = json((await fake.run("index", "info", index, "--json")).out);
    expect(info).toMatchObject({ kind: "asmk", images: 5, vocabulary: { words: 64 }, damaged: [] });
    expect(info.extraction).toMatchObject({ model: "fake", maxEdge: 640, maxFeatures: 1000 });
    expect((await fake.run("index", "info", index)).out).toMatch(/photos\.index: 5 images/);
    const removed = await fake.run("index", "remove", index, path("20.png"), "nobody", "--json");
    expect(removed.code).toBe(1);
    expect(json(removed.out)).toEqual({ removed: 1, missing: ["nobody"], images: 4 });
    expect(json((await fake.run("index", "merge", index, "--json")).out)).toMatchObject({ after: 1, images: 4 });
    expect(await fake.run("index", "check", index)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/is whole: 4 images in 1 segment/),
    });
    expect((await fake.run("index", "check", path("nowhere"))).err).toMatch(/there is no index/);
  });

  it("names a damaged segment; the others are searched", async () => {
    const folder = path("damaged.index");
    await fake.run("index", `${photos}/50.png`, "--out", folder, "--model", "fake", "--vocabulary", path("words"));
    await fake.run("index", `${photos}/30.png`, "--out", folder);
    const [segment] = readdirSync(folder).filter((file) => file.startsWith("segment"));
    const bytes = readFileSync(`${folder}/${segment}`);
    for (const [spoiled, text] of [
      [bytes.subarray(0, bytes.length - 100), /truncated or damaged/],
      [Uint8Array.from(bytes, (value, i) => (i === 3000 ? value ^ 4 : value)), /damaged/],
    ] as const) {
      writeFileSync(`${folder}/${segment}`, spoiled);
      const check = await fake.run("index", "check", folder, "--json");
      expect(check.code).toBe(1);
      expect(json(check.out).damaged).toMatchObject([{ file: segment, message: expect.stringMatching(text) }]);
      const found = await fake.run("search", folder, path("query.png"), "--json");
      expect(json(found.out).results[0]).toMatchObject({ id: `${photos}/30.png`, found: true });
    }
    rmSync(`${folder}/${segment}`);
    expect((await fake.run("index", "check", folder)).err).toMatch(/the segment is missing/);
  });
});

describe("strata search", () => {
  it("gives ids, scores, finds, probabilities, inliers and geometry", async () => {
    const { code, out } = await fake.run("search", index, path("query.png"), "--json", "--top", "2");
    expect(code).toBe(0);
    const { results, query, images } = json(out);
    expect([query, images]).toEqual([path("query.png"), 4]);
    expect(results.length).toBeLessThanOrEqual(2);
    expect(Object.keys(results[0])).toEqual(["id", "score", "found", "probability", "inliers", "geometry"]);
    expect(results[0]).toMatchObject({ id: `${photos}/30.png`, found: true, geometry: { model: "homography" } });
    const told = await fake.run("search", index, path("stranger.png"));
    expect(told.out).toMatch(/nothing found among 4/);
  });

  it("draws a page, and looks for a region", async () => {
    const page = path("found.html");
    await fake.run("search", index, path("query.png"), "--html", page);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("<b>found</b>");
    expect(html).toContain("data:image/svg+xml;base64,");
    expect(html.match(/<img /g)?.length).toBeGreaterThan(1);
    expect((await fake.run("search", index, path("query.png"), "--html", path("query.png"))).code).not.toBe(0);
    const region = (text: string) => fake.run("search", index, path("query.png"), "--region", text, "--json");
    expect(json((await region("0,0,640,480")).out).results[0].found).toBe(true);
    expect((await region("600,0,100,100")).err).toMatch(/inside of the picture of 640×480, got 600,0,100,100/);
    expect((await region("1,2,3")).err).toMatch(/"--region" must be x,y,width,height/);
    expect((await region("0,0,0,10")).err).toMatch(/region must be/);
  });
});

describe("strata duplicates", () => {
  it("groups with reasons, and deletes nothing", async () => {
    const folder = path("doubles");
    const { mkdirSync } = await import("node:fs");
    mkdirSync(folder);
    copyFileSync(`${photos}/30.png`, `${folder}/a.png`);
    copyFileSync(`${photos}/30.png`, `${folder}/b.png`);
    copyFileSync(path("query.png"), `${folder}/c.png`);
    copyFileSync(`${photos}/50.png`, `${folder}/z.png`);
    const run = await fake.run(
      "duplicates",
      folder,
      "--model",
      "fake",
      "--vocabulary",
      path("words"),
      "--json",
      "--html",
      path("d.html"),
    );
    const { groups, images } = json(run.out);
    expect(images).toBe(4);
    expect(groups).toHaveLength(1);
    expect(groups[0].ids).toEqual(["a.png", "b.png", "c.png"].map((name) => `${folder}/${name}`));
    expect(groups[0].pairs[0]).toMatchObject({ reason: "identical" });
    expect(groups[0].pairs[1]).toMatchObject({ reason: "part", a: `${folder}/a.png`, b: `${folder}/c.png` });
    expect(readFileSync(path("d.html"), "utf8")).toContain("the same bytes");
    expect(readdirSync(folder)).toHaveLength(4);
  });
});

describe("strata index train-vocabulary", () => {
  it("makes words of a model that an index takes", async () => {
    const out = path("trained");
    const made = await fake.run(
      "index",
      "train-vocabulary",
      photos,
      "--model",
      "fake",
      "--out",
      out,
      "--words",
      "50",
      "--json",
    );
    expect(json(made.out)).toMatchObject({ words: 50, model: { name: "fake", sha256: "00" }, photographs: 4 });
    const run = await fake.run(
      "index",
      photos,
      "--out",
      path("trained.index"),
      "--model",
      "fake",
      "--vocabulary",
      out,
      "--json",
    );
    expect(json(run.out)).toMatchObject({ added: 4 });
    const damaged = readFileSync(out);
    damaged[200] ^= 1;
    writeFileSync(out, damaged);
    const refused = await fake.run(
      "index",
      photos,
      "--out",
      path("more.index"),
      "--model",
      "fake",
      "--vocabulary",
      out,
    );
    expect(refused.err).toMatch(/checksum does not fit; the vocabulary is damaged/);
  });
});
