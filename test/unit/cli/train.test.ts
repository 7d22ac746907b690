/** `strata train` in this process: what its flags become, and what it says to a wrong command line or wrong data. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { strToU8, unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sourcesOf, type TrainFlags, trainOptionsOf } from "../../../src/cli/train/options.js";
import { saveImage } from "../../../src/node/images.js";
import { ownerLine } from "../../../src/node/owner.js";
import { prepareScene } from "../../../src/node/train/prepare-scene.js";
import { parseRecipe, READABLE_RECIPES, REFERENCE_RECIPES } from "../../../src/train/recipes.js";
import { checkpointBytes, noiseImage, referenceTensors } from "../../models.js";
import { wallModel, writeScene } from "../train/scenes.js";
import { fakeStrata, temporaryFolder } from "./fake.js";

const { path, remove } = temporaryFolder();
const strata = (...argv: string[]) => fakeStrata().run("train", ...argv);

beforeAll(async () => {
  writeFileSync(path("r18.ckpt"), checkpointBytes(referenceTensors({ depth: 18, dim: 16 })));
  for (const scene of ["A", "B", "C"]) {
    await writeScene(path("data"), scene, wallModel(scene === "C" ? 1 : 3));
    await prepareScene(scene, path("data"), { base: path("data"), minDepthBytes: 0 });
  }
  writeFileSync(path("data/train_scenes.txt"), "A\nB\nC\n");
  writeFileSync(path("data/valid_scenes.txt"), "B\n");
  mkdirSync(path("photos"));
  for (let i = 0; i < 3; i++) await saveImage(path("photos", `${i}.png`), noiseImage(80, 72, i + 1));
});
afterAll(remove);

/** Code 1 or 2 and a sentence, without a stack. */
async function refused(code: number, message: RegExp, ...argv: string[]): Promise<void> {
  const result = await strata(...argv);
  expect(result.err).toMatch(message);
  expect([result.code, result.err.includes("    at ")]).toEqual([code, false]);
}

const encoder = (...rest: string[]) => [
  ...["encoder", "--recipe", "cfe16", "--backbone", path("r18.ckpt"), "--workers", "0"],
  ...["--quiet", "--threads", "1", "--no-tb-logs", "--out", path("out"), ...rest],
];
const onData = (...rest: string[]) =>
  encoder("--data", path("data"), "--crop", "32", "--pairs-per-scene", "2", ...rest);

describe("flags", () => {
  const flags = (rest: Partial<TrainFlags> = {}): TrainFlags => ({ recipe: "", out: "", validation: true, ...rest });

  it("become options on the recipe's defaults", () => {
    const attention = parseRecipe("d2net");
    expect(trainOptionsOf(flags(), attention)).toMatchObject({ batch: 64, rate: 1e-4, seed: 42 });
    expect(trainOptionsOf(flags(), parseRecipe("cfe64"))).toMatchObject({ batch: 4, rate: 1e-3 });
    const given = { batch: 8, accumulate: 8, rate: 0.5, seed: 7, clip: 1, patience: 2 };
    expect(trainOptionsOf(flags(given), attention)).toMatchObject(given);
    expect(() => trainOptionsOf(flags({ steps: 3, epochs: 2 }), attention)).toThrow(
      "give --steps or --epochs, not both",
    );
  });

  it("say what is trained on, and what is validated on", () => {
    const splits = (rest: Partial<TrainFlags>) => {
      const { train, validation } = sourcesOf(flags(rest));
      return [train.options, validation?.options];
    };
    expect(splits({ data: "d" })).toMatchObject([{ split: "train" }, { split: "validation", cropSize: 256, seed: 42 }]);
    expect(splits({ data: "d", validation: false })[0]).toMatchObject({ split: "all" });
    expect(splits({ data: "d", validation: false })[1]).toBeUndefined();
    expect(splits({ data: "d", scenes: "s", validationScenes: "v", crop: 64 })).toMatchObject([
      { split: "all", scenes: "s", cropSize: 64 },
      { split: "all", scenes: "v", cropSize: 64 },
    ]);
    expect(splits({ photos: "p", validationPhotos: "v", seed: 3 })).toMatchObject([
      { split: "all", folder: "p", seed: 3 },
      { split: "all", folder: "v", seed: 3 },
    ]);
    expect(splits({ photos: "p" })).toMatchObject([{ split: "train" }, { split: "validation", folder: "p" }]);
  });
});

describe("recipes", () => {
  it("are listed by both of their names", async () => {
    const { out, code } = await strata("recipes");
    expect(code).toBe(0);
    for (const name of ["cfe64", ...READABLE_RECIPES, ...REFERENCE_RECIPES]) expect(out).toContain(name);
    const all = JSON.parse((await strata("recipes", "--json")).out);
    expect(all).toHaveLength(3 + 19);
    for (const { name, reference, recipe } of all) {
      expect(parseRecipe(name)).toEqual(recipe);
      expect(parseRecipe(reference)).toEqual(recipe);
    }
  });

  it("that are none, or of another kind, are refused", async () => {
    const rest = ["--backbone", path("r18.ckpt"), "--data", path("data"), "--out", path("out")];
    await refused(
      2,
      /recipe "nonsense".*distinctiveness-n2-lambda0\.5-squashed-shared/,
      "attention",
      "--recipe",
      "nonsense",
      ...rest,
    );
    await refused(2, /it trains an encoder, not attention/, "attention", "--recipe", "cfe64", ...rest);
    await refused(2, /it trains attention, not an encoder/, "encoder", "--recipe", "d2net", ...rest);
  });
});

describe("a wrong command line", () => {
  it("is told what is wrong with it", async () => {
    const base = ["encoder", "--backbone", path("r18.ckpt"), "--out", path("out")];
    await refused(2, /required option '--out/, "encoder", "--backbone", "x");
    await refused(2, /required option '--backbone/, "encoder", "--out", "x");
    await refused(2, /say what to train on: --data FOLDER/, ...base);
    await refused(2, /give --data or --photos, not both/, ...base, "--data", "d", "--photos", "p");
    await refused(2, /--pairs-per-photo does not go with --data/, ...base, "--data", "d", "--pairs-per-photo", "2");
    await refused(2, /--scene-info does not go with --photos/, ...base, "--photos", "p", "--scene-info", "x");
    await refused(2, /or --no-validation, not both/, ...onData("--no-validation", "--validation-scenes", "valid"));
    await refused(2, /give --resume or --overwrite, not both/, ...onData("--resume", "--overwrite"));
    await refused(2, /"--batch" must be a whole number ≥ 1, got 0/, ...onData("--batch", "0"));
    await refused(2, /"--rate" must be a number ≥ 0, got fast/, ...onData("--rate", "fast"));
    await refused(2, /"cropSize" must be a multiple of 32, got 40/, ...onData("--crop", "40"));
    await refused(2, /no weights "nowhere.ckpt"/, "encoder", "--backbone", "nowhere.ckpt", "--data", "d", "--out", "o");
    const heads = ["attention", "--recipe", "d2net-dim16", "--data", "d", "--out", path("out")];
    await refused(2, /say what to train on top of: --backbone FILE/, ...heads);
    await refused(
      2,
      /frozen encoder of 64 channels, the weights have one of 16/,
      "attention",
      "--recipe",
      "d2net",
      "--backbone",
      path("r18.ckpt"),
      "--data",
      "d",
      "--out",
      path("out"),
    );
  });
});

describe("wrong data", () => {
  it("of which files are missing", async () => {
    mkdirSync(path("empty"), { recursive: true });
    await refused(
      1,
      /empty is no prepared MegaDepth data set: .*train_scenes\.txt and .*scene_info missing/,
      ...encoder("--data", path("empty")),
    );
    await refused(1, /nowhere: there is no such folder/, ...encoder("--data", path("nowhere")));
    await refused(2, /one scene, which cannot be split.*--no-validation/, ...onData("--scenes", "valid"));
    await refused(2, /no photograph/, ...encoder("--photos", path("empty")));
  });

  it("whose scene_info would run something", async () => {
    const file = path("data/scene_info/A.npz");
    const good = readFileSync(file);
    const header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".padEnd(118);
    const evil = strToU8(
      `\u0093NUMPY\u0001\u0000${String.fromCharCode(header.length, 0)}${header}cos\nsystem\n(S'true'\ntR.`,
      true,
    );
    writeFileSync(file, zipSync({ ...unzipSync(good), "image_paths.npy": evil }));
    await refused(1, /A\.npz: .*os\.system/, ...onData());
    writeFileSync(file, good);
  });

  it("whose images are too small, or do not fit their depth", async () => {
    await refused(
      1,
      /\.png has 48×40 pixels, crops have 64×64/,
      ...encoder("--data", path("data"), "--crop", "64", "--no-validation"),
    );
    await writeScene(path("odd"), "A", wallModel(2), { depthSize: [40, 48] });
    await prepareScene("A", path("odd"), { base: path("odd"), minDepthBytes: 0 });
    writeFileSync(path("odd/train_scenes.txt"), "A\n");
    await refused(
      1,
      /\.png has 48×40 pixels, .*\.h5 40×48/,
      ...encoder("--data", path("odd"), "--crop", "32", "--no-validation"),
    );
  });

  it("of which nothing can be used", async () => {
    // Photographs that share nothing: every pair has too few correspondences.
    const few = ["--crop", "64", "--no-validation"];
    mkdirSync(path("small"), { recursive: true });
    await saveImage(path("small/a.png"), noiseImage(40, 40, 1));
    await saveImage(path("small/b.png"), noiseImage(40, 40, 2));
    await refused(1, /none of the 2 pairs of an epoch can be used: .*/, ...encoder("--photos", path("small"), ...few));
    writeFileSync(path("data/c.txt"), "C\n");
    await refused(
      1,
      /none of the 1 scenes .*C: no two images with depth have an overlap/,
      ...onData("--scenes", path("data/c.txt"), "--no-validation"),
    );
  });

  it("in part is left out, and listed; the rest is trained on", async () => {
    const { code, out, err } = await strata(
      ...onData("--epochs", "1", "--batch", "2", "--validation-scenes", "valid", "--json"),
    );
    expect(err).toMatch(/^strata: left out: scene C: no two images with depth have an overlap of 0\.5 to 1\n$/);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ step: 2, ended: "finished", model: path("out/model"), resumedFrom: null });
    // What is there is not trained over, and goes on as itself only.
    await refused(2, /out holds a training already/, ...onData("--validation-scenes", "valid"));
    const again = ["--epochs", "1", "--batch", "2", "--resume", "--validation-scenes", "valid"];
    await refused(2, /made with another data set/, ...onData(...again, "--seed", "42", "--pairs-per-scene", "3"));
    await refused(2, /made with another (task|recipe)/, ...onData(...again, "--recipe", "cfe32"));
    await refused(2, /made with another recipe/, ...onData(...again, "--correspondence-weight", "1000"));
    await refused(2, /another option "clip"/, ...onData(...again, "--clip", "1"));
    // Beside a run that goes on; what it keeps is its own affair, and nothing to go on from.
    writeFileSync(path("out/.strata.lock"), await ownerLine());
    const beside = await strata(...onData("--validation-scenes", "valid", "--resume"));
    expect(beside.err).toMatch(
      /^strata: left out: [^\n]*\nstrata: another strata \(process \d+ on [^\n]*\) is at work in the folder [^\n]*out; [^\n]*\n$/,
    );
    expect(beside.code).toBe(1);
    expect((await strata("report", path("out"), "--json")).code).toBe(0);
    rmSync(path("out/.strata.lock"));
    expect((await strata(...onData(...again, "--epochs", "2"))).code).toBe(0);
    rmSync(path("out"), { recursive: true });
  });
});
