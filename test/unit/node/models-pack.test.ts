import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { toFloat32 } from "../../../src/formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { openExtractor } from "../../../src/node/extractor.js";
import { packModel } from "../../../src/node/models-pack.js";
import { strataTensors, TINY } from "../../models.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);
const VERDICT = {
  weights: { inliers: 1, share: 1, spread: 1, tightness: 1, form: 1 },
  bias: 0,
  same: 0.9,
  different: 0.1,
};

function write(name: string, seed: number, config: object = TINY): void {
  mkdirSync(at(name));
  writeFileSync(at(name, "model.safetensors"), writeSafetensors(strataTensors(TINY, seed)));
  writeFileSync(at(name, "config.json"), JSON.stringify({ ...config, verdict: VERDICT }));
}
const weights = (name: string) => readSafetensors(new Uint8Array(readFileSync(at(name, "model.safetensors")))).tensors;
const configOf = (name: string) => JSON.parse(readFileSync(at(name, "config.json"), "utf8"));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-pack-"));
  write("one", 1);
  write("two", 2);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("packModel", () => {
  it("gives a name and scales, and drops a verdict that was fitted to others", async () => {
    const report = await packModel([at("one")], {
      out: at("named"),
      weights: "fp32",
      name: "mine",
      scales: [0.8, 0.4],
    });
    expect(report).toMatchObject({ name: "mine", rounding: 0 });
    expect(configOf("named")).toMatchObject({ name: "mine", detection: { scales: [0.8, 0.4] }, sha256: report.sha256 });
    expect(configOf("named").verdict).toBeUndefined();
    expect(weights("named")).toEqual(weights("one"));
    const extractor = await openExtractor({ model: at("named") });
    expect(extractor.options.scales).toEqual([0.8, 0.4]);
    await extractor.dispose();
  });

  it("keeps the verdict where only weights are rounded", async () => {
    const report = await packModel([at("one")], { out: at("half"), weights: "fp16" });
    expect(configOf("half").verdict).toEqual(VERDICT);
    expect(report.rounding).toBeGreaterThan(0);
    expect(report.rounding).toBeLessThan(0.001);
    expect(report.bytes).toBe(readFileSync(at("half", "model.safetensors")).length);
  });

  it("of several models it is the mean of their weights", async () => {
    await packModel([at("one"), at("two")], { out: at("mean"), weights: "fp32" });
    const [one, two, mean] = ["one", "two", "mean"].map(weights);
    for (const [name, tensor] of mean) {
      const [a, b] = [one, two].map((tensors) => toFloat32(tensors.get(name)!));
      toFloat32(tensor).forEach((value, i) => {
        expect(value).toBeCloseTo((a[i] + b[i]) / 2, 6);
      });
    }
  });

  it("refuses models of other shapes, of another kind, and a folder with a model in it", async () => {
    mkdirSync(at("wide"));
    const wide = { ...TINY, attentionWidth: 8 };
    writeFileSync(at("wide", "model.safetensors"), writeSafetensors(strataTensors(wide)));
    writeFileSync(at("wide", "config.json"), JSON.stringify(wide));
    const pack = (models: string[], out: string) => packModel(models, { out: at(out), weights: "fp32" });
    await expect(pack([at("one"), at("wide")], "no")).rejects.toThrow(/wide is not of the shape of .*one: tensor/);
    await expect(pack([at("one")], "two")).rejects.toThrow(/--force/);
    await expect(pack([at("absent")], "no")).rejects.toThrow(OptionError);
    writeFileSync(at("wide", "config.json"), JSON.stringify({ kind: "reference", name: "x" }));
    await expect(pack([at("wide")], "no")).rejects.toThrow(/no model of the default family/);
    expect(existsSync(at("no"))).toBe(false);
  });
});
