/** What a training begins with, by name or by file; sources split for validation. */
import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError } from "../../../src/errors.js";
import { detectorSources, readBeginning, readDetectorRecipe } from "../../../src/node/train/detector.js";
import { splitSources } from "../../../src/node/train/sources.js";
import { readTrainingWeights } from "../../../src/node/train/weights.js";
import { temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
afterAll(() => folder.remove());

describe("readDetectorRecipe", () => {
  it("knows the recipes that come along by name, others by file", async () => {
    const recipe = await readDetectorRecipe("strata-s");
    expect(recipe.name).toBe("strata-s");
    await expect(readDetectorRecipe("nobody")).rejects.toThrow(IoError);
    await expect(readDetectorRecipe(at("none.json"))).rejects.toThrow(at("none.json"));
    writeFileSync(at("bad.json"), "{");
    await expect(readDetectorRecipe(at("bad.json"))).rejects.toThrow(FormatError);
    writeFileSync(at("odd.json"), JSON.stringify({ name: "odd", extra: 1 }));
    await expect(readDetectorRecipe(at("odd.json"))).rejects.toThrow(OptionError);
    await expect(readBeginning(at("none"))).rejects.toThrow("no such file or folder");
  });

  it("its photographs are split, or validated on others, or on none", async () => {
    const recipe = await readDetectorRecipe("strata-s");
    const of = (validation?: string | boolean) => {
      const { train, validation: held } = detectorSources(recipe, { photos: "a", validation, seed: 7 });
      return [train, held].map((spec) => (spec?.kind === "photos" ? [spec.options.folder, spec.options.split] : null));
    };
    expect(of()).toEqual([
      ["a", "train"],
      ["a", "validation"],
    ]);
    expect(of("b")).toEqual([
      ["a", "all"],
      ["b", "all"],
    ]);
    expect(of(false)).toEqual([["a", "all"], null]);
    const { train } = detectorSources(recipe, { photos: "a", seed: 7 });
    expect(train.options).toMatchObject({ cropSize: recipe.data.cropSize, seed: 7 });
  });
});

it("scenes are split as photographs are", () => {
  const all = { kind: "megadepth", options: { data: "d", scenes: "train" } } as const;
  expect(splitSources(all, "valid").validation?.options).toEqual({ data: "d", scenes: "valid", split: "all" });
  expect(splitSources(all, true).train.options).toEqual({ data: "d", scenes: "train", split: "train" });
  expect(splitSources(all, false).validation).toBeNull();
});

it("readTrainingWeights wants a backbone or an encoder", async () => {
  await expect(readTrainingWeights({})).rejects.toThrow("--backbone FILE");
});
