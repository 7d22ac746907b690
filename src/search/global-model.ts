/**
 * A model that gives one vector of a whole picture (an ONNX file of CLIP, DINO, DELG …): it can take the place of the words of
 * an index. The vector says which pictures are alike; local features still say whether they are the same, and where.
 */
import { checkBytes, checkText, wrong } from "../check.js";
import { FormatError, StrataError, UnsupportedError } from "../errors.js";
import type { Extractor, ExtractorInfo } from "../extract/extractor.js";
import { fromUnit, imageToPlanes } from "../extract/preprocess.js";
import { defaultRuntime, type Runtime, type Session, type SessionOptions, type Tensor } from "../graph/session.js";
import { checkImage, type Image } from "../image/image.js";
import { partsOf } from "../image/parts.js";
import { resizeParts } from "../image/resize.js";
import { checkNumber, withDefaults } from "../options.js";
import { sha256 } from "../sha256.js";
import { checkExtractor } from "./check.js";
import {
  checkGlobal,
  checkInput,
  type GlobalIdentity,
  type GlobalInput,
  type IndexFeatures,
  MOST_EDGE,
  MOST_GLOBAL,
} from "./global-identity.js";

/** Options of `openGlobalModel`. */
export interface GlobalModelOptions extends SessionOptions {
  /** How it is called in messages and in indexes; default "the global model". */
  name?: string;
  /** What of the input is not as it is by default: the size that the file declares, else 224×224; ImageNet's mean and std. */
  input?: Partial<GlobalInput>;
  /** Default: that of the door. */
  runtime?: Runtime;
}

/** A model of whole pictures that is open. */
export interface GlobalModel {
  readonly info: GlobalIdentity;
  /** The vector of a picture, of unit length (or all zeros). */
  vector(image: Image): Promise<Float32Array>;
  /** Frees native memory; a second call does nothing. */
  dispose(): Promise<void>;
}

/** An extractor that gives the global vector too. */
export interface GlobalExtractor extends Extractor {
  readonly info: ExtractorInfo & { global: GlobalIdentity };
  extract(image: Image): Promise<IndexFeatures>;
}

const IMAGENET: Omit<GlobalInput, "size"> = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const EDGE = 224;
/** Outputs that are the picture's vector where a file has several. */
const PREFERRED = ["image_embeds", "pooler_output"];

/**
 * Opens an ONNX file with one input [1, 3, height, width] (float32, RGB) and an output [1, D] (or [1, D, 1, 1]): of several, the
 * one that exporters call image_embeds or pooler_output, else the first. A FormatError for what is no such file, an
 * UnsupportedError for other inputs and outputs.
 */
export async function openGlobalModel(onnx: Uint8Array, options: GlobalModelOptions = {}): Promise<GlobalModel> {
  const where = "openGlobalModel";
  checkBytes(where, onnx);
  const given = withDefaults<GlobalModelOptions>(
    where,
    { name: "the global model", input: {}, runtime: undefined, backend: undefined, threads: undefined },
    options,
  );
  const name = checkText(where, "name", given.name);
  const wanted = checkInput(where, given.input);
  const digest = await sha256(onnx);
  if (digest === "") throw new UnsupportedError(`${where}: a page needs a secure context (https) to tell models apart`);
  const session = await openSession(name, onnx, given);
  try {
    const { mean, std } = { ...IMAGENET, ...wanted };
    const input: GlobalInput = { size: inputSize(name, session, wanted.size), mean, std };
    const grey = { width: 1, height: 1, data: new Uint8Array(3).fill(128) };
    const { data, output } = await runOn(name, session, grey, input);
    return new OpenGlobalModel({ name, sha256: digest, dim: data.length, input }, session, output);
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

async function openSession(name: string, onnx: Uint8Array, { runtime, backend, threads }: GlobalModelOptions) {
  try {
    return await (runtime ?? defaultRuntime()).open(onnx, { backend, threads });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${name}: no ONNX file of a model that runs here: ${error.message}`, { cause: error });
  }
}

/** Width and height of what the session is fed: as the file says, where it says it. */
function inputSize(name: string, session: Session, wanted: GlobalInput["size"] | undefined): [number, number] {
  const { inputNames, inputs } = session;
  if (inputNames.length !== 1) {
    throw new UnsupportedError(
      `${name}: a global model has one input, the picture; this one has ${inputNames.length} (${inputNames.join(", ")}); ` +
        "export the part that sees pictures by itself",
    );
  }
  const { type, shape } = inputs?.[0] ?? { type: "float32", shape: [1, 3, "height", "width"] };
  const [batch, channels, height, width] = shape;
  const fits = (value: unknown, one: number) => typeof value !== "number" || value < 1 || value === one;
  if (type !== "float32" || shape.length !== 4 || !fits(batch, 1) || !fits(channels, 3)) {
    throw new UnsupportedError(
      `${name}: the input ${inputNames[0]} must be float32 [1, 3, height, width], it is ${type} [${shape.join(", ")}]`,
    );
  }
  return [width, height].map((declared, i) => {
    const edge = wanted?.[i] ?? (typeof declared === "number" && declared > 0 ? declared : EDGE);
    if (!fits(declared, edge)) {
      throw new UnsupportedError(`${name}: takes pictures of ${width}×${height} pixels, not ${wanted?.join("×")}`);
    }
    return checkNumber(name, "the size of the input", edge, { min: 1, max: MOST_EDGE, integer: true });
  }) as [number, number];
}

/** What the network gives for a picture, and the output that it comes from. */
async function runOn(name: string, session: Session, image: Image, { size, mean, std }: GlobalInput, output?: string) {
  const [width, height] = size;
  const planes = imageToPlanes(
    resizeParts(partsOf(image), width, height),
    fromUnit(mean, std),
    new Float32Array(3 * width * height),
  );
  let outputs: Record<string, Tensor>;
  try {
    outputs = await session.run({
      [session.inputNames[0]]: { type: "float32", shape: [1, 3, height, width], data: planes },
    });
  } catch (error) {
    if (error instanceof StrataError) throw error;
    const [said] = String((error as Error)?.message ?? error).split("\n");
    throw new UnsupportedError(`${name}: does not run on a picture of ${width}×${height} pixels: ${said}`, {
      cause: error,
    });
  }
  const isVector = ({ type, shape }: Tensor) =>
    type === "float32" &&
    shape.length >= 2 &&
    shape[0] === 1 &&
    shape.slice(2).every((one) => one === 1) &&
    shape[1] > 0;
  const found = [...(output === undefined ? [...PREFERRED, ...session.outputNames] : [output])].find(
    (one) => outputs[one] && isVector(outputs[one]),
  );
  if (found === undefined) {
    const shapes = Object.entries(outputs).map(([one, { type, shape }]) => `${one} ${type} [${shape.join(", ")}]`);
    throw new UnsupportedError(
      `${name}: gives no vector [1, D] (float32) of a picture, but ${shapes.join("; ") || "nothing"}`,
    );
  }
  const data = outputs[found].data as Float32Array;
  if (data.length > MOST_GLOBAL) {
    throw new UnsupportedError(
      `${name}: gives ${data.length} values of a picture, over ${MOST_GLOBAL}: no global vector`,
    );
  }
  return { data, output: found };
}

class OpenGlobalModel implements GlobalModel {
  constructor(
    readonly info: GlobalIdentity,
    private readonly session: Session,
    private readonly output: string,
  ) {}

  async vector(image: Image): Promise<Float32Array> {
    const { name, dim, input } = this.info;
    const { data } = await runOn(name, this.session, checkImage("vector", image), input, this.output);
    if (data.length !== dim)
      throw new FormatError(`${name}: gave ${dim} values of one picture and ${data.length} of another`);
    let square = 0;
    for (const value of data) square += value * value;
    if (!Number.isFinite(square))
      throw new FormatError(`${name}: gives values of this picture that are no finite numbers`);
    return square > 0 ? data.map((value) => value / Math.sqrt(square)) : data.slice();
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

/** The extractor with a picture's global vector beside its features; disposing of it disposes of both. */
export function withGlobal(extractor: Extractor, model: GlobalModel): GlobalExtractor {
  const where = "withGlobal";
  checkExtractor(where, extractor);
  if (typeof model?.vector !== "function") throw wrong(where, "the model", "one that openGlobalModel gives", model);
  checkGlobal(where, model.info);
  const extract = async (image: Image): Promise<IndexFeatures> => ({
    ...(await extractor.extract(image)),
    global: await model.vector(image),
  });
  return {
    get info() {
      return { ...extractor.info, global: model.info };
    },
    options: extractor.options,
    extract,
    extractBatch: async (images) => {
      const all: IndexFeatures[] = [];
      for (const image of images) all.push(await extract(image));
      return all;
    },
    async dispose() {
      await extractor.dispose();
      await model.dispose();
    },
  };
}
