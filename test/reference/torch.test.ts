import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkNdArray, toFloat32 } from "../../src/formats/ndarray.js";
import { readTorchCheckpoint } from "../../src/formats/torch.js";
import { describeShared } from "../shared.js";

describeShared("files that PyTorch wrote", (shared) => {
  const open = (path: string) => readTorchCheckpoint(readFileSync(join(shared, "reference", path)), { name: path });

  it.each(["torch_zip.pth", "torch_legacy.pth"])("%s reads exactly", (file) => {
    // name → shape, type, first values; half and bfloat16, bool, a view, a transposed tensor, a parameter.
    const expected = JSON.parse(readFileSync(join(shared, "reference/formats/torch_expected.json"), "utf8")) as Record<
      string,
      [number[], string, number[]]
    >;
    const { tensors, meta } = open(`formats/${file}`);
    expect([...tensors.keys()]).toEqual(Object.keys(expected));
    for (const [name, [shape, type, values]] of Object.entries(expected)) {
      const array = checkNdArray(name, tensors.get(name)!);
      expect([name, array.shape, `torch.${array.dtype}`]).toEqual([name, shape, type]);
      expect([...toFloat32(array).slice(0, values.length)], name).toEqual(values);
    }
    expect(meta).toEqual({});
  });

  it("the whole checkpoint reads, without a copy of its weights", () => {
    const path = "checkpoints/cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm.ckpt";
    const bytes = readFileSync(join(shared, "reference", path));
    const { tensors, meta } = readTorchCheckpoint(bytes);
    expect(tensors.size).toBe(359);
    expect(meta).toMatchObject({ epoch: 27, global_step: 4059, callbacks: {} });
    const shape = (name: string) => tensors.get(name)?.shape;
    expect(shape("feature_encoder.resnet.conv1.weight")).toEqual([64, 3, 7, 7]);
    expect(shape("feature_encoder.e3.0.weight")).toEqual([64, 2048, 1, 1]);
    expect(shape("deep_attentions.3.bias")).toEqual([1]);
    let values = 0;
    for (const [name, array] of tensors) {
      checkNdArray(name, array);
      // Tensors are views of the file's bytes.
      expect(array.data.buffer === bytes.buffer, name).toBe(true);
      if (array.dtype !== "float32") continue;
      values += array.data.length;
      for (const value of (array.data as Float32Array).subarray(0, 100)) expect(Math.abs(value)).toBeLessThan(1e4);
    }
    expect(values * 4).toBeGreaterThan(0.99 * bytes.length);
  });

  it("the checkpoints with heads only read", () => {
    const model = open("checkpoints/variant_multi_attention_model_heads.ckpt");
    expect([...model.tensors.keys()]).toEqual(
      ["early", "middle", "deep"].flatMap((level) => [`${level}_attentions.weight`, `${level}_attentions.bias`]),
    );
    const heads = open("checkpoints/variant_shared_heads.ckpt");
    expect(heads.tensors.get("feature_encoder.p2.1.weight")?.shape).toEqual([512, 512, 2, 2]);
    expect(heads.tensors.get("attention.1.num_batches_tracked")).toMatchObject({ dtype: "int64", shape: [] });
  });
});
