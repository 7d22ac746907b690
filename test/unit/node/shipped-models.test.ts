import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseVerdictModel, probabilityOf, type VerdictWeights } from "../../../src/geometry/verdict.js";
import { describeModel } from "../../../src/node/extractor.js";
import { openRegistry } from "../../../src/node/models/registry.js";

const MODELS = fileURLToPath(new URL("../../../models/", import.meta.url));
const shipped = readdirSync(MODELS).filter((name) => existsSync(`${MODELS}${name}/model.safetensors`));

describe("models that ship", () => {
  it.each(shipped)("%s opens, has a card that names its checksum, and the registry knows its file", async (name) => {
    const weights = readFileSync(`${MODELS}${name}/model.safetensors`);
    const sha256 = createHash("sha256").update(weights).digest("hex");
    expect(await describeModel(name)).toMatchObject({ name, sha256, bytes: weights.length });
    expect(readFileSync(`${MODELS}${name}/CARD.md`, "utf8")).toContain(sha256);
    const { models } = await openRegistry(undefined, {});
    const entry = models.find((model) => model.name === name);
    expect(entry).toMatchObject({ shipped: true, size: weights.length, sha256 });
  });

  it.each([
    ["strata-s", ["fundamental", "essential"]],
    ["strata-xs", ["fundamental", "essential"]],
    ["strata-t", ["fundamental", "essential"]],
  ] as const)(
    "%s judges homographies and %s matrices, and is not convinced by one match more than a sample has",
    (name, geometries) => {
      const config = JSON.parse(readFileSync(`${MODELS}${name}/config.json`, "utf8"));
      const verdict = parseVerdictModel(name, config.verdict);
      const samples = { fundamental: 7, essential: 5 };
      for (const [model, sample] of [
        [verdict, 4] as const,
        ...geometries.map((geometry) => [verdict[geometry], samples[geometry]] as const),
      ]) {
        // All matches agree, exactly, and all over the image.
        const best = { inliers: Math.log(2), share: Math.log(2), spread: 0, tightness: sample / (sample + 1), form: 1 };
        expect(probabilityOf(model as VerdictWeights, best)).toBeLessThan((model as VerdictWeights).same);
      }
    },
  );

  it("every model of the registry that ships is there", async () => {
    const { models } = await openRegistry(undefined, {});
    expect(
      models
        .filter((model) => model.shipped)
        .map((model) => model.name)
        .sort(),
    ).toEqual([...shipped].sort());
  });
});
