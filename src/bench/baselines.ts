/**
 * Methods to compare with that need no model: ORB (Rublee et al. 2011) and AKAZE (Alcantarilla et al. 2013) as OpenCV
 * has them. Their descriptors are bits; as vectors of ±1/√bits the cosine similarity is 1 − 2·hamming/bits, so the one
 * matcher serves all methods, and equal distances are equal similarities.
 *
 * OpenCV's pixel centres lie on integers, as ours do. (ORB takes a keypoint of a smaller octave to p·scale, not to
 * (p + 0.5)·scale − 0.5, and so is (scale − 1)/2 pixels off there, 0.1 to 1.3; a baseline is measured as it is.)
 */
import { OptionError, StateError, UnsupportedError } from "../errors.js";
import type { Features } from "../features.js";
import { emptyFeatures } from "../features.js";
import { checkImage, type Image } from "../image/image.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { topFeatures } from "./features.js";
import { type Feature2D, loadOpenCv, type OpenCvImages, versionOf, withMats } from "./opencv/index.js";
import { loadOpenCv4 } from "./opencv4/index.js";

/** Methods of the benchmark that need no model. */
export const BASELINE_NAMES = ["orb", "akaze"] as const;
/** Name of such a method. */
export type BaselineName = (typeof BASELINE_NAMES)[number];

/** Options of openBaseline. */
export interface BaselineOptions {
  /** Most keypoints of an image, the strongest. Default 2000 for ORB, which spreads them over its scales; null (all) for AKAZE. */
  maxFeatures?: number | null;
}

/** A method of OpenCV, opened. */
export interface Baseline {
  name: BaselineName;
  /** Everything that features depend on, with OpenCV's defaults. */
  options: Record<string, unknown>;
  /** `opencv`: its version. */
  versions: Record<string, string>;
  /** Features of an image, best score first. An image too small for the method has none. */
  extract(image: Image): Promise<Features>;
  /** Frees the detector; extracting afterwards is a StateError. */
  dispose(): void;
}

interface Method {
  cv: OpenCvImages;
  detector: Feature2D;
  /** Bits of a descriptor; the rest of its last byte is empty. */
  bits: number;
  options: Record<string, unknown>;
}

/** Opens a baseline by its name. OptionError for another name, or for ORB without a number of keypoints. */
export async function openBaseline(name: BaselineName, options: BaselineOptions = {}): Promise<Baseline> {
  checkChoice("openBaseline", "name", name, BASELINE_NAMES);
  const defaults: Required<BaselineOptions> = { maxFeatures: name === "orb" ? 2000 : null };
  const { maxFeatures } = withDefaults("openBaseline", defaults, options, ["maxFeatures"]);
  if (maxFeatures !== null)
    checkNumber("openBaseline", "maxFeatures", maxFeatures, { min: 1, max: 1e6, integer: true });
  const method = name === "orb" ? await openOrb(maxFeatures) : await openAkaze(maxFeatures);

  let disposed = false;
  return {
    name,
    options: method.options,
    versions: { opencv: versionOf(method.cv) },
    async extract(image) {
      if (disposed) throw new StateError(`${name} was disposed of; open it again`);
      return topFeatures(detect(name, method, checkImage(name, image)), maxFeatures ?? Number.MAX_SAFE_INTEGER);
    },
    dispose() {
      if (!disposed) method.detector.delete();
      disposed = true;
    },
  };
}

async function openOrb(maxFeatures: number | null): Promise<Method> {
  if (maxFeatures === null) throw new OptionError('openBaseline: orb needs a number for "maxFeatures", got null');
  const cv = await loadOpenCv();
  const detector = new cv.ORB();
  detector.setMaxFeatures(maxFeatures);
  const options = { maxFeatures, scaleFactor: 1.2, levels: 8, edgeThreshold: 31, patchSize: 31, fastThreshold: 20 };
  return { cv, detector, bits: 256, options: { ...options, score: "Harris" } };
}

async function openAkaze(maxFeatures: number | null): Promise<Method> {
  const cv = await loadOpenCv4();
  const detector = new cv.AKAZE();
  const options = { maxFeatures, threshold: 0.001, octaves: 4, octaveLayers: 4, diffusivity: "PM-G2" };
  return { cv, detector, bits: 486, options: { ...options, descriptor: "MLDB" } };
}

function detect(name: string, { cv, detector, bits }: Method, image: Image): Features {
  const { width, height, data } = image;
  // OpenCV's pyramids cannot be built of a single row or column.
  if (Math.min(width, height) < 2) return emptyFeatures([width, height], bits);
  return withMats((keep) => {
    try {
      const rgb = keep(new cv.Mat(height, width, cv.CV_8UC3));
      rgb.data.set(data);
      const grey = keep(new cv.Mat());
      cv.cvtColor(rgb, grey, cv.COLOR_RGB2GRAY);
      const keypoints = keep(new cv.KeyPointVector());
      const descriptors = keep(new cv.Mat());
      detector.detectAndCompute(grey, keep(new cv.Mat()), keypoints, descriptors);
      const count = keypoints.size();
      const features: Features = {
        count,
        dim: bits,
        imageSize: [width, height],
        keypoints: new Float32Array(2 * count),
        scores: new Float32Array(count),
        descriptors: signs(descriptors.data, count, bits),
      };
      for (let i = 0; i < count; i++) {
        const { pt, response } = keypoints.get(i);
        features.keypoints[2 * i] = pt.x;
        features.keypoints[2 * i + 1] = pt.y;
        features.scores[i] = response;
      }
      return features;
    } catch (cause) {
      // A C++ exception arrives as its address.
      if (typeof cause !== "number") throw cause;
      throw new UnsupportedError(`${name}: OpenCV cannot work on this image of ${width}×${height} pixels`, { cause });
    }
  });
}

/** Rows of bits, lowest first, as rows of ±1/√bits. */
function signs(bytes: Uint8Array, count: number, bits: number): Float32Array {
  const stride = Math.ceil(bits / 8);
  const values = new Float32Array(count * bits);
  const unit = 1 / Math.sqrt(bits);
  for (let i = 0, to = 0; i < count; i++) {
    for (let bit = 0; bit < bits; bit++) {
      values[to++] = (bytes[i * stride + (bit >> 3)] >> (bit & 7)) & 1 ? unit : -unit;
    }
  }
  return values;
}
