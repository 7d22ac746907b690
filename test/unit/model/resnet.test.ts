import { describe, expect, it } from "vitest";
import { ndarray, toFloat32 } from "../../../src/formats/ndarray.js";
import { fold, foldedPass } from "../../../src/model/layers/folded.js";
import type { Layers } from "../../../src/model/layers/layers.js";
import { DEPTHS, type Depth, type ResnetOptions, resnet, resnetDepth, tapChannels } from "../../../src/model/resnet.js";
import { WeightReader } from "../../../src/model/weights.js";
import { referenceTensors, type StateDict } from "../../models.js";
import { naiveConv, randomValues, runGraph, type Values, worstDifference } from "../../networks.js";

const PREFIX = "feature_encoder.resnet.";
const BLOCKS: Record<Depth, number[]> = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3] };

/** A ResNet as torchvision's code reads, batch norm as a step of its own: early, middle and deep. */
function torchvisionTaps(image: Values, tensors: StateDict, depth: Depth, options: ResnetOptions): Values[] {
  const value = (name: string) => toFloat32(tensors.get(PREFIX + name)!);
  const layer = (x: Values, conv: string, norm: string, geometry = {}): Values => {
    const { shape } = tensors.get(`${PREFIX}${conv}.weight`)!;
    const out = naiveConv(x, { shape, data: value(`${conv}.weight`) }, new Float32Array(shape[0]), geometry);
    const each = out.shape[2] * out.shape[3];
    const names = ["weight", "bias", "running_mean", "running_var"];
    const [gamma, beta, mean, variance] = names.map((n) => value(`${norm}.${n}`));
    out.data.forEach((v, i) => {
      const c = Math.floor(i / each) % shape[0];
      out.data[i] = ((v - mean[c]) / Math.sqrt(variance[c] + 1e-5)) * gamma[c] + beta[c];
    });
    return out;
  };
  const relu = (x: Values): Values => ({ ...x, data: x.data.map((v) => Math.max(v, 0)) });
  const { firstStride, replaceStrideWithDilation: replace } = options;
  const stem = { stride: firstStride, padding: 3, dilation: firstStride === 1 ? 2 : 1 };
  let x = maxPool(relu(layer(image, "conv1", "bn1", stem)));
  let dilation = 1;
  const taps: Values[] = [];
  BLOCKS[depth].forEach((count, l) => {
    let stride = l === 0 ? 1 : 2;
    const previous = dilation;
    if (replace) [dilation, stride] = [dilation * stride, 1];
    for (let b = 0; b < count; b++) {
      const at = `layer${l + 1}.${b}`;
      const own = { stride: b ? 1 : stride, padding: b ? dilation : previous, dilation: b ? dilation : previous };
      const shortcut = tensors.has(`${PREFIX}${at}.downsample.0.weight`)
        ? layer(x, `${at}.downsample.0`, `${at}.downsample.1`, { stride: own.stride })
        : x;
      const inner =
        depth >= 50
          ? layer(
              relu(layer(relu(layer(x, `${at}.conv1`, `${at}.bn1`)), `${at}.conv2`, `${at}.bn2`, own)),
              `${at}.conv3`,
              `${at}.bn3`,
            )
          : layer(relu(layer(x, `${at}.conv1`, `${at}.bn1`, own)), `${at}.conv2`, `${at}.bn2`, { ...own, stride: 1 });
      x = relu({ ...inner, data: inner.data.map((v, i) => v + shortcut.data[i]) });
    }
    if (l > 0) taps.push(x);
  });
  return taps;
}

/** 3×3, stride 2, padding 1, of values ≥ 0. */
function maxPool({ shape: [n, c, h, w], data }: Values): Values {
  const [oh, ow] = [Math.floor((h - 1) / 2) + 1, Math.floor((w - 1) / 2) + 1];
  const out = new Float32Array(n * c * oh * ow);
  for (let plane = 0; plane < n * c; plane++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const value = data[(plane * h + y) * w + x];
        for (const oy of new Set([Math.floor(y / 2), Math.floor((y + 1) / 2)])) {
          for (const ox of new Set([Math.floor(x / 2), Math.floor((x + 1) / 2)])) {
            if (oy >= oh || ox >= ow) continue;
            const cell = (plane * oh + oy) * ow + ox;
            out[cell] = Math.max(out[cell], value);
          }
        }
      }
    }
  }
  return { shape: [n, c, oh, ow], data: out };
}

/** A reader that knows names but no values. */
function names(depth: Depth, edit: (names: Set<string>) => void = () => {}): WeightReader {
  const all = new Set<string>();
  BLOCKS[depth].forEach((count, l) => {
    for (let b = 0; b < count; b++) {
      for (let k = 1; k <= (depth >= 50 ? 3 : 2); k++) all.add(`p.layer${l + 1}.${b}.conv${k}.weight`);
    }
  });
  edit(all);
  return new WeightReader("w", new Map([...all].map((name) => [name, ndarray(new Float32Array(1))])));
}

describe("resnetDepth", () => {
  it.each(DEPTHS)("tells a ResNet-%i by its blocks", (depth) => {
    expect(resnetDepth(names(depth), "p.")).toBe(depth);
    expect(resnetDepth(names(depth), "q.")).toBeNull();
    expect(
      resnetDepth(
        names(depth, (all) => all.delete("p.layer4.0.conv1.weight")),
        "p.",
      ),
    ).toBe(depth);
    // A block too many or the last one too few is another network.
    const more = `p.layer3.${BLOCKS[depth][2]}.conv1.weight`;
    const fewer = `p.layer3.${BLOCKS[depth][2] - 1}.conv1.weight`;
    expect(
      resnetDepth(
        names(depth, (all) => all.add(more)),
        "p.",
      ),
    ).toBeNull();
    expect(
      resnetDepth(
        names(depth, (all) => all.delete(fewer)),
        "p.",
      ),
    ).toBeNull();
  });

  it("knows the channels of the taps", () => {
    expect(DEPTHS.map(tapChannels)).toEqual([
      [128, 256, 512],
      [128, 256, 512],
      [512, 1024, 2048],
      [512, 1024, 2048],
    ]);
  });
});

describe("resnet", () => {
  const network =
    (depth: Depth, options: ResnetOptions = { firstStride: 2, replaceStrideWithDilation: false }) =>
    (layers: Layers) =>
      resnet(layers, PREFIX, depth, options);
  const read = (tensors: StateDict, depth: Depth) => {
    const backbone = new Map([...tensors].filter(([name]) => name.startsWith(PREFIX)));
    const reader = new WeightReader("w", backbone);
    const params = fold(network(depth), reader);
    reader.ignore(/\.fc\.|num_batches_tracked/);
    reader.finish();
    return params;
  };

  it.each<[Depth, 1 | 2, boolean, [number, number], string]>([
    [18, 2, false, [32, 39], "4,5 2,3 1,2"],
    [18, 1, false, [21, 24], "4,5 2,3 1,2"],
    [18, 2, true, [9, 13], "3,4 3,4 3,4"],
    [34, 2, false, [17, 16], "3,2 2,1 1,1"],
    [50, 2, false, [16, 24], "2,3 1,2 1,1"],
    [50, 1, true, [9, 10], "2,2 2,2 2,2"],
  ])("ResNet-%i, first stride %i, dilated %s, is torchvision's", async (depth, firstStride, replace, [h, w], sizes) => {
    const options = { firstStride, replaceStrideWithDilation: replace };
    const tensors = referenceTensors({ depth });
    const params = read(tensors, depth);
    const image = { shape: [1, 3, h, w], data: randomValues(3 * h * w, depth) };
    const pass = foldedPass(network(depth, options));
    const taps = Object.values(await runGraph(pass as never, { params }, image));
    const expected = torchvisionTaps(image, tensors, depth, options);
    expect(taps.map(({ shape }) => shape.slice(2)).join(" ")).toBe(sizes);
    expected.forEach((tap, i) => {
      expect(Math.max(...tap.data)).toBeGreaterThan(0.01);
      expect(worstDifference(taps[i], tap)).toBeLessThan(1e-5);
    });
  });

  it("names a tensor of the wrong width, and all that are missing", () => {
    const tensors = referenceTensors({ depth: 18 });
    const wide = new Map(tensors).set(`${PREFIX}layer2.0.bn1.bias`, ndarray(new Float32Array(64)));
    expect(() => read(wide, 18)).toThrow(`"${PREFIX}layer2.0.bn1.bias" has shape [64], the model needs [128]`);
    const missing = new Map(tensors);
    missing.delete(`${PREFIX}layer2.0.bn1.bias`);
    missing.delete(`${PREFIX}conv1.weight`);
    expect(() => read(missing, 18)).toThrow(/missing tensors: .*conv1\.weight, .*layer2\.0\.bn1\.bias$/);
    // Bottlenecks where plain blocks are expected.
    expect(() => read(tensors, 50)).toThrow(/layer1\.0\.conv1\.weight" has shape \[64,64,3,3\].* \[64,64,1,1\]/);
  });
});
