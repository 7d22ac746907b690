/**
 * Imported checkpoints give the reference's cases, point by point, as the checkpoints do; and a checkpoint that TensorFlow
 * wrote, under DELG's names at an eighth of the width, becomes the tensors that it was written from.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NdArray } from "../../src/formats/ndarray.js";
import { readNpz } from "../../src/formats/npz.js";
import { delgPlaces, delgScope } from "../../src/import/delg.js";
import { backboneLayout } from "../../src/import/layout.js";
import { fillPlaces } from "../../src/import/places.js";
import { BACKBONE_PREFIX } from "../../src/model/checkpoint.js";
import { readTensorFile } from "../../src/node/checkpoint-file.js";
import { openExtractor } from "../../src/node/extractor.js";
import { loadImage } from "../../src/node/images.js";
import { importModel } from "../../src/node/models-import.js";
import { agreement } from "../agreement.js";
import { describeShared } from "../shared.js";
import { optionsOf, type ReferenceCase, referenceCases, WHOLE } from "./cases.js";

describeShared("imported checkpoints", (shared) => {
  const reference = join(shared, "reference");
  let folder: string;

  /** Each of the checkpoints as a model folder; heads on the backbone of the whole one. */
  const modelOf = ({ heads }: ReferenceCase) => join(folder, heads ? basename(heads) : "whole");

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "strata-imported-"));
    const whole = join(reference, WHOLE);
    const report = await importModel(whole, { out: join(folder, "whole") });
    expect(report).toMatchObject({ kind: "reference", missing: [], converted: [], name: basename(WHOLE, ".ckpt") });
    expect(report.unused.map(({ name }) => name)).toEqual([
      "feature_encoder.resnet.fc.weight",
      "feature_encoder.resnet.fc.bias",
    ]);
    for (const heads of new Set(referenceCases(reference).flatMap((c) => c.heads ?? []))) {
      await importModel(join(reference, heads), { out: join(folder, basename(heads)), backbone: whole });
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(referenceCases(reference))("$name", async (c) => {
    const extractor = await openExtractor({ ...optionsOf(c), model: modelOf(c) });
    const features = await extractor.extract(await loadImage(join(reference, c.image)));
    await extractor.dispose();
    const arrays = readNpz(readFileSync(join(reference, c.npz)));
    const result = agreement(features, {
      count: c.count,
      keypoints: arrays.keypoints.data as Float32Array,
      scores: arrays.scores.data as Float32Array,
      descriptors: arrays.descriptors.data as Float32Array,
    });
    expect(Math.abs(features.count - c.count)).toBeLessThanOrEqual(0.005 * c.count);
    expect(result.share, JSON.stringify(result)).toBeGreaterThanOrEqual(0.995);
  });

  it("the names that TensorFlow wrote lead to ours, every value in its place", async () => {
    const path = join(reference, "formats/tensorflow");
    const { format, tensors } = await readTensorFile(path);
    const found = delgScope("oracle", tensors.keys());
    expect([format, found]).toEqual(["tensorflow", { scope: "resnet_v1_50/", depth: 50 }]);
    const eighth = (size: number) => (size >= 64 ? size / 8 : size);
    const shapes = [...backboneLayout(50).required].map(([name, [out, from, ...kernel]]) => {
      return [name, from === undefined ? [eighth(out)] : [eighth(out), eighth(from), ...kernel]] as const;
    });
    const { tensors: ours, unused } = fillPlaces("oracle", tensors, delgPlaces("resnet_v1_50/", new Map(shapes)));
    expect(unused.map(({ name }) => name).sort()).toEqual(["attention_block/conv1/biases", "global_step"]);
    expect(ours.size).toBe(53 * 5);
    const expected = readNpz(readFileSync(join(path, "expected.npz")));
    const theirs = (name: string) => expected[`resnet_v1_50|${name.replaceAll("/", "|")}`];
    const values = (name: string) => (ours.get(BACKBONE_PREFIX + name) as NdArray).data;
    const plain: [string, string][] = [
      ["bn1.running_var", "conv1/BatchNorm/moving_variance"],
      ["layer1.0.downsample.1.weight", "block1/unit_1/bottleneck_v1/shortcut/BatchNorm/gamma"],
      ["layer3.5.bn2.bias", "block3/unit_6/bottleneck_v1/conv2/BatchNorm/beta"],
      ["layer4.2.bn3.running_mean", "block4/unit_3/bottleneck_v1/conv3/BatchNorm/moving_mean"],
    ];
    for (const [name, slim] of plain) expect([...values(name)], name).toEqual([...theirs(slim).data]);
    const kernels: [string, string][] = [
      ["conv1", "conv1"],
      ["layer2.0.downsample.0", "block2/unit_1/bottleneck_v1/shortcut"],
      ["layer3.1.conv2", "block3/unit_2/bottleneck_v1/conv2"],
      ["layer4.0.conv3", "block4/unit_1/bottleneck_v1/conv3"],
    ];
    for (const [name, slim] of kernels) {
      const { shape, data } = theirs(`${slim}/weights`);
      const [kh, kw, from, out] = shape;
      const turned = [];
      for (let o = 0; o < out; o++)
        for (let i = 0; i < from; i++) for (let k = 0; k < kh * kw; k++) turned.push(data[(k * from + i) * out + o]);
      expect([...values(`${name}.weight`)], name).toEqual(turned);
    }
  });

  it("a network of another width is refused with shapes", async () => {
    const out = join(folder, "narrow");
    await expect(importModel(join(reference, "formats/tensorflow"), { out })).rejects.toThrow(
      /"resnet_v1_50\/conv1\/weights" expected \[7,7,3,64\], found \[7,7,3,8\].*\(2\d\d in all\)/,
    );
  });
});
