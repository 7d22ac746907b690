/** Models with random weights of realistic size: timing does not need trained ones. */
import { type NdArray, Random } from "../src/index.js";
import { type ResnetParams, readResnetParams, tapChannels } from "../src/model/resnet.js";
import { type ConvWeights, WeightReader } from "../src/model/weights.js";

/** Answers every question for a tensor with random values of the asked shape: the reader's own calls say what a model needs. */
class Invented extends Map<string, NdArray> {
  private readonly random: Random;
  constructor(seed: number) {
    super();
    this.random = new Random(seed);
  }

  /** Adds a convolution with batch norm, He-initialised, norm that changes nothing. */
  conv(name: string, shape: readonly number[], norm?: string, bias = false): void {
    const fan = shape.slice(1).reduce((a, b) => a * b, 1);
    const scale = Math.sqrt(2 / fan);
    const size = shape[0] * fan;
    const data = Float32Array.from({ length: size }, () => scale * this.random.normal());
    this.set(`${name}.weight`, { dtype: "float32", shape: [...shape], data });
    if (bias) this.fill(`${name}.bias`, shape[0], 0);
    if (!norm) return;
    for (const [part, value] of [
      ["weight", 1],
      ["bias", 0],
      ["running_mean", 0],
      ["running_var", 1],
    ] as const) {
      // Residual branches are damped, as training does, so that activations stay in range through all blocks.
      this.fill(`${norm}.${part}`, shape[0], part === "weight" && /conv3|bn3/.test(norm) ? 0.2 : value);
    }
  }

  fill(name: string, length: number, value: number): void {
    this.set(name, { dtype: "float32", shape: [length], data: new Float32Array(length).fill(value) });
  }
}

const BLOCKS = [3, 4, 6, 3];
const WIDTHS = [64, 128, 256, 512];

function addBackbone(tensors: Invented, prefix: string): void {
  tensors.conv(`${prefix}conv1`, [64, 3, 7, 7], `${prefix}bn1`);
  let from = 64;
  BLOCKS.forEach((count, l) => {
    for (let b = 0; b < count; b++) {
      const at = `${prefix}layer${l + 1}.${b}`;
      const [width, out] = [WIDTHS[l], 4 * WIDTHS[l]];
      tensors.conv(`${at}.conv1`, [width, from, 1, 1], `${at}.bn1`);
      tensors.conv(`${at}.conv2`, [width, width, 3, 3], `${at}.bn2`);
      tensors.conv(`${at}.conv3`, [out, width, 1, 1], `${at}.bn3`);
      if (b === 0) tensors.conv(`${at}.downsample.0`, [out, from, 1, 1], `${at}.downsample.1`);
      from = out;
    }
  });
}

/** A ResNet-50's weights for a graph. */
export function randomBackbone(seed: number): ResnetParams<ConvWeights> {
  const tensors = new Invented(seed);
  addBackbone(tensors, "");
  return readResnetParams(new WeightReader("random backbone", tensors), "", 50);
}

/** A whole checkpoint of the reference with ResNet-50, 64-d encoders and two-layer heads. */
export function randomReference(seed: number): Map<string, NdArray> {
  const tensors = new Invented(seed);
  addBackbone(tensors, "feature_encoder.resnet.");
  tapChannels(50).forEach((channels, i) => {
    tensors.conv(`feature_encoder.e${i + 1}.0`, [64, channels, 1, 1], undefined, true);
    const head = `${["early", "middle", "deep"][i]}_attentions`;
    tensors.conv(`${head}.0`, [512, 64, 1, 1], `${head}.1`, true);
    tensors.conv(`${head}.3`, [1, 512, 1, 1], undefined, true);
  });
  return tensors;
}
