/** `strata train detector` from photographs to a model that opens, stopped and resumed on the way. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openExtractor } from "../../../src/node/extractor.js";
import { saveImage } from "../../../src/node/images.js";
import { readLog } from "../../../src/node/train/log.js";
import { noiseImage, TINY } from "../../models.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
afterAll(() => folder.remove());

const { name: _, ...network } = TINY;
const RECIPE = {
  name: "tiny",
  network,
  data: { cropSize: 32, small: "enlarge" },
  losses: { patch: 8, peakWindow: 8, border: 1 },
  training: { batch: 2, steps: 4, rate: 1e-3 },
};

beforeAll(async () => {
  for (const [name, count] of [
    ["photos", 5],
    ["held", 2],
  ] as const) {
    mkdirSync(at(name), { recursive: true });
    for (let i = 0; i < count; i++) await saveImage(at(name, `${i}.png`), noiseImage(72, 64, i + 1));
  }
  writeFileSync(at("tiny.json"), JSON.stringify(RECIPE));
});

const detector = (...flags: string[]) =>
  fakeStrata().run(
    "train",
    "detector",
    "--config",
    at("tiny.json"),
    "--photos",
    at("photos"),
    "--workers",
    "0",
    ...flags,
  );
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

describe("strata train detector", () => {
  it("trains, validates, and leaves a model that extracts", async () => {
    const out = at("run");
    const { code, out: said, err } = await detector("--validation", at("held"), "--out", out, "--json", "--quiet");
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(JSON.parse(said)).toMatchObject({ ended: "finished", step: 4, resumedFrom: null });
    const config = json(at("run", "model", "config.json"));
    expect(config).toMatchObject({
      name: "tiny",
      widths: TINY.widths,
      descriptorDim: 8,
      training: { options: { batch: 2 } },
    });
    const extractor = await openExtractor({ model: at("run", "model"), maxFeatures: 10 });
    expect((await extractor.extract(noiseImage(64, 48, 9))).count).toBe(10);
    await extractor.dispose();
    const { records } = await readLog(out);
    const validation = records.filter(({ kind }) => kind === "validation");
    // Five photographs in batches of two: an epoch has three updates.
    expect(validation.map(({ step }) => step)).toEqual([3, 4]);
    expect(validation[0]).toMatchObject({
      pairs: 2,
      metrics: { mma3: expect.any(Number), descriptors: expect.any(Number) },
    });
  });

  it("goes on from another model, and from where it was stopped to the same weights", async () => {
    const flags = ["--init", at("run", "model"), "--no-validation", "--no-tb-logs", "--quiet", "--seed", "3"];
    expect((await detector(...flags, "--out", at("whole"))).code).toBe(0);
    // With a constant rate the end may move: two updates, then two more.
    expect((await detector(...flags, "--out", at("parts"), "--steps", "2")).code).toBe(0);
    const { code, err } = await detector(...flags, "--out", at("parts"), "--resume");
    expect([code, err]).toEqual([0, ""]);
    const weights = (run: string) => json(at(run, "model", "config.json")).sha256;
    expect(weights("parts")).toBe(weights("whole"));
    expect(weights("whole")).not.toBe(weights("run"));
    expect(json(at("whole", "run.json")).recipe.begin).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[string, string[], number, RegExp]>([
    ["a configuration that is not there", ["--config", "none.json"], 1, /none\.json/],
    ["a name that does not come along", ["--config", "strata-z"], 1, /strata-z/],
    ["two ways with what is there", ["--resume", "--overwrite"], 2, /--resume or --overwrite, not both/],
    ["weights that are not there", ["--init", "nowhere"], 2, /no weights "nowhere"/],
    ["a folder without photographs", ["--photos", "."], 2, /no photograph|has no photograph/],
    ["a run that is there", ["--out", "run"], 2, /holds a training already/],
    ["no steps", ["--steps", "0"], 2, /--steps/],
  ])("refuses %s", async (_what, flags, code, message) => {
    const empty = at("empty");
    mkdirSync(empty, { recursive: true });
    const placed = flags.map((flag) => (flag === "." ? empty : flag === "run" ? at("run") : flag));
    const result = await detector("--no-validation", "--out", at("refused"), ...placed);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
  });

  it("learns from a teacher, resumes to the same weights, and refuses another teacher", async () => {
    const taught = (model: string, more: object = {}) =>
      writeFileSync(
        at("tiny.json"),
        JSON.stringify({ ...RECIPE, teacher: { model, scales: [1, 0.5], keypoints: 2, ...more } }),
      );
    const flags = ["--no-validation", "--no-tb-logs", "--quiet", "--checkpoint-every", "1"];
    const weights = (run: string) => json(at(run, "model", "config.json")).sha256;
    try {
      taught(at("run", "model"));
      expect((await detector(...flags, "--out", at("taught"))).code).toBe(0);
      expect((await detector(...flags, "--out", at("stopped"), "--steps", "2")).code).toBe(0);
      expect(await detector(...flags, "--out", at("stopped"), "--resume")).toMatchObject({ code: 0, err: "" });
      expect(weights("stopped")).toBe(weights("taught"));
      const { records } = await readLog(at("taught"));
      expect(records.find(({ kind }) => kind === "step")).toMatchObject({
        metrics: {
          "teacher-keypoints": expect.any(Number),
          "teacher-similarity": expect.any(Number),
          "teacher-procrustes": expect.any(Number),
        },
      });
      expect(json(at("taught", "run.json")).recipe.teacher.model).toMatch(/^[0-9a-f]{64}$/);

      taught(at("whole", "model"));
      const other = await detector(...flags, "--out", at("stopped"), "--resume");
      expect(other.code).toBe(2);
      expect(other.err).toMatch(/made with another recipe, in "teacher": .*"model":"[0-9a-f]{64}".*, now/);
      taught(at("run", "model"), { descriptorDim: 16 });
      const longer = await detector(...flags, "--out", at("longer"));
      expect(longer.err).toMatch(/descriptors of 8, the recipe's "teacher.descriptorDim" is 16/);
      expect(longer.code).toBe(2);
      taught(at("run", "model"), { clean: true });
      // By a thread too, which hands over what comes along.
      expect((await detector(...flags, "--out", at("clean"), "--workers", "1")).code).toBe(0);
      expect(weights("clean")).not.toBe(weights("taught"));
      taught(at("nowhere"));
      expect((await detector(...flags, "--out", at("longer"))).err).toMatch(/nowhere/);
    } finally {
      writeFileSync(at("tiny.json"), JSON.stringify(RECIPE));
    }
  });

  it("a checkpoint is packed as the model that it is", async () => {
    const { packModel } = await import("../../../src/node/models-pack.js");
    const { readSafetensors } = await import("../../../src/formats/safetensors.js");
    expect((await detector("--no-validation", "--out", at("packed-run"), "--quiet")).code).toBe(0);
    const checkpoint = at("packed-run", "checkpoints", "step-00000004");
    await packModel([checkpoint], { out: at("packed"), weights: "fp32" });
    const weights = (folder: string) => readSafetensors(new Uint8Array(readFileSync(at(folder, "model.safetensors"))));
    expect(weights("packed").tensors).toEqual(weights("packed-run/model").tensors);
    expect(json(at("packed", "config.json"))).toMatchObject({ name: "tiny", widths: TINY.widths });
  });

  it("the recipe strata-t has a teacher of its own length of descriptors", async () => {
    const { readDetectorRecipe } = await import("../../../src/node/train/detector.js");
    const { network: student, teacher } = await readDetectorRecipe("strata-t");
    expect(teacher).toMatchObject({ model: "strata-s", descriptorDim: student.descriptorDim });
  });

  it.each([
    "recipes/strata-s",
    "recipes/strata-s-planes",
    "recipes/strata-s-large",
    ...[1, 2, 3, 4, 5, 6].map((stage) => `strata-s/stages/${stage}`),
  ])("the configuration models/%s.json is one", async (name) => {
    const { parseDetectorRecipe } = await import("../../../src/train/detector/recipe.js");
    const file = new URL(`../../../models/${name}.json`, import.meta.url);
    expect(parseDetectorRecipe(name, JSON.parse(readFileSync(file, "utf8"))).name).toBe("strata-s");
  });
});
