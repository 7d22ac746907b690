/** The four kinds of attention head: from a 64-channel descriptor map to one score per position. */
import { UnsupportedError } from "../errors.js";
import { np } from "../graph/jax.js";
import type { AttentionKind } from "./attention-kinds.js";
import { type Layer, type Layers, TORCH_NORM } from "./layers/layers.js";
import { type Arr, normalizeChannels, relu, softplus } from "./operators.js";

/** Hidden channels of a two-layer head. */
const HIDDEN = 512;

/** The heads of a kind, by their levels' names: [N, dim, h, w] of each level → [N, 1, h, w] of each. */
export function attentionHeads(
  layers: Layers,
  kind: AttentionKind,
  dim: number,
  levels: readonly string[],
  { squash }: { squash: boolean },
): (maps: readonly Arr[]) => Arr[] {
  switch (kind) {
    case "multi_attention_model2": {
      const heads = levels.map((level) => twoLayerHead(layers, `${level}_attentions`, dim, squash));
      return (maps) => maps.map((map, i) => heads[i](map));
    }
    case "multi_attention_model": {
      const heads = levels.map((level) => softmaxHead(layers, `${level}_attentions`, dim));
      return (maps) => maps.map((map, i) => heads[i](map));
    }
    case "shared_multi_attention_model2": {
      const head = twoLayerHead(layers, "attention", dim, true);
      return (maps) => maps.map(head);
    }
    case "attention_model": {
      const head = twoLayerHead(layers, "attention", dim, true);
      return (maps) => {
        const score = head(averaged(maps));
        return levels.map((_, i) => (i + 1 < levels.length ? score.ref : score));
      };
    }
  }
}

/** softplus(conv(relu(norm(conv(d))))); `squash` makes it s / (1 + s). NAME.0 (dim → 512), NAME.1 (norm), NAME.3 (512 → 1). */
function twoLayerHead(layers: Layers, name: string, dim: number, squash: boolean): Layer {
  const first = layers.convNorm(`${name}.0`, `${name}.1`, [HIDDEN, dim, 1, 1], { ...TORCH_NORM, bias: true });
  const second = layers.conv(`${name}.3`, [1, HIDDEN, 1, 1]);
  return (d) => {
    const score = softplus(second(relu(first(d))));
    return squash ? score.ref.div(score.add(1)) : score;
  };
}

/** Channel 1 of the softmax over two channels, which is the logistic function of their difference. NAME (dim → 2). */
function softmaxHead(layers: Layers, name: string, dim: number): Layer {
  const conv = layers.conv(name, [2, dim, 1, 1]);
  return (d) => {
    const logits = conv(d);
    const difference = logits.ref.slice([], [0, 1]).sub(logits.slice([], [1, 2]));
    return np.reciprocal(np.exp(difference).add(1));
  };
}

/** The average of levels, each of unit length along channels (the reference slips to the batch axis). */
function averaged(maps: readonly Arr[]): Arr {
  const sizes = new Set(maps.map(({ shape }) => `${shape[2]}×${shape[3]}`));
  if (sizes.size > 1) {
    throw new UnsupportedError(
      `attention_model averages its levels, whose sizes differ here (${[...sizes].join(", ")}); pad the image so that they agree`,
    );
  }
  const sum = maps.map((map) => normalizeChannels(map)).reduce((a, b) => a.add(b));
  return sum.mul(1 / maps.length);
}
