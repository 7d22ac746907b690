/** The command line in this process, over an engine that finds one keypoint per image: its own logic, without a network. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, openInterrupt } from "../../../src/cli/context.js";
import { main } from "../../../src/cli/main.js";
import type { ExtractorInfo } from "../../../src/extract/extractor.js";
import type { ExtractOptions } from "../../../src/extract/options.js";
import { EXTRACT_DEFAULTS } from "../../../src/extract/options.js";
import { emptyFeatures, type FloatFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import type { OpenOptions } from "../../../src/node/extractor.js";
import { saveImage } from "../../../src/node/images.js";

export interface Fake {
  /** Options that the engine was opened with, once per run. */
  opened: OpenOptions[];
  /** Number of images extracted in all runs. */
  extracted: number;
  disposed: number;
  /** The fake's checksum, to be another model. */
  sha256: string;
  /** Values of its descriptors. */
  dim: number;
  /** Its verdict, where it has one. */
  verdict?: ExtractorInfo["verdict"] | object;
  /** What the engine ran on, where it says so. */
  session?: ExtractorInfo["session"];
  /** After this many images in a run the user presses Ctrl-C; default never. */
  interruptAfter: number;
  /** Other features than the one keypoint. */
  features?: (image: Image) => FloatFeatures;
  /** Called with each image before its features are made; may throw. */
  onImage?: (image: Image) => void;
  run(...argv: string[]): Promise<{ code: number; out: string; err: string }>;
}

export function fakeStrata(): Fake {
  const fake: Fake = {
    opened: [],
    extracted: 0,
    disposed: 0,
    sha256: "00",
    dim: 4,
    interruptAfter: Infinity,
    async run(...argv) {
      let [out, err] = ["", ""];
      let inRun = 0;
      const interrupt = openInterrupt();
      const context: Context = {
        engine: {
          async openExtractor(options) {
            fake.opened.push(options);
            return {
              info: {
                model: options.model ?? "fake",
                sha256: fake.sha256,
                dim: fake.dim,
                session: fake.session,
                ...(fake.verdict && { verdict: fake.verdict as ExtractorInfo["verdict"] }),
              },
              options: { ...EXTRACT_DEFAULTS, maxFeatures: options.maxFeatures ?? null } satisfies ExtractOptions,
              extract: async (image) => {
                if (inRun >= fake.interruptAfter) interrupt.stop();
                fake.onImage?.(image);
                inRun++;
                fake.extracted++;
                return (fake.features ?? onePoint)(image);
              },
              extractBatch: async (images) => images.map(onePoint),
              dispose: async () => {
                fake.disposed++;
              },
            };
          },
          describeModel: async () => {
            throw new Error("not asked for here");
          },
          describeRuntime: async () => "a fake",
          describeKept: async () => ({ folder: "nowhere", graphs: 0, bytes: 0 }),
        },
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
        terminal: false,
        listenForInterrupt: () => interrupt,
      };
      const code = await main(argv, context);
      return { code, out, err };
    },
  };
  return fake;
}

/** A keypoint whose place tells the image's brightness; none in a black one. */
function onePoint({ width, height, data }: Image): FloatFeatures {
  if (data[0] === 0) return emptyFeatures([width, height], 4);
  return {
    count: 1,
    dim: 4,
    imageSize: [width, height],
    keypoints: Float32Array.of(data[0] / 100, 2),
    scores: Float32Array.of(0.5),
    descriptors: Float32Array.of(1, 0, 0, 0),
  };
}

/** A fresh folder, and its removal. */
export function temporaryFolder(): { path: (...parts: string[]) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "strata-unit-"));
  return { path: (...parts) => join(folder, ...parts), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** An 8×6 image of one brightness. */
export function savePlain(path: string, value: number): Promise<void> {
  return saveImage(path, { width: 8, height: 6, data: new Uint8Array(3 * 48).fill(value) });
}
