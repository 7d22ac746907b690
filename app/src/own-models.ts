/** Models of the reader's own: the files of a model folder, or an ONNX file that `strata export` made. For this visit. */
import { runExported } from "../../src/index.js";
import { sha256 } from "../../src/sha256.js";
import {
  type Extractor,
  type FloatFeatures,
  type Image,
  type OpenOptions,
  openExtractor,
  SHIPPED_MODELS,
  type WebExtractor,
  webRuntime,
} from "../../src/web/index.js";

type Files = Extract<OpenOptions["model"], { weights: Uint8Array }>;
type Own = { files: Files } | { onnx: Uint8Array };

const own = new Map<string, Own>();

/** Names of all models that can be chosen. */
export const modelNames = (): string[] => [...SHIPPED_MODELS, ...own.keys()];

/** What `openExtractor` takes for the name. */
export function modelOf(name: string): OpenOptions["model"] {
  const found = own.get(name);
  if (!found) return name;
  if ("onnx" in found) throw new Error(`${name}: an exported file has its features only, no maps`);
  return found.files;
}

/** Opens a model by its name, with what it needs beside shipped ones. */
export async function openNamed(name: string, options: Omit<OpenOptions, "model">): Promise<WebExtractor> {
  const found = own.get(name);
  if (!found) return openExtractor({ ...options, model: name });
  if ("onnx" in found) return exportedExtractor(name, found.onnx);
  if (found.files.graph) return openExtractor({ ...options, model: found.files });
  // Nobody prepared its graph: it is traced in the page.
  const { compile } = await import("../../src/graph/compile.js");
  return openExtractor({ ...options, backend: "wasm", model: found.files, compile, worker: false });
}

/** Takes the files of a folder, or one ONNX file; gives the model's name. It is opened once, so that faults are told now. */
export async function addOwnModel(files: readonly File[]): Promise<string> {
  const onnx = files.length === 1 && /\.onnx$/i.test(files[0].name) ? files[0] : null;
  const folder = files[0]?.webkitRelativePath.split("/")[0];
  const name = `${onnx ? onnx.name : folder || "model"} (own)`;
  if (onnx) own.set(name, { onnx: await bytesOf(onnx) });
  else {
    const file = (wanted: string): File | undefined => files.find((one) => one.name === wanted);
    const [weights, config, graph] = ["model.safetensors", "config.json", "graph.onnx"].map(file);
    if (!weights || !config) {
      throw new Error(
        `${folder || "these files"}: a model folder has model.safetensors and config.json; ${weights ? "config.json" : "model.safetensors"} is missing`,
      );
    }
    own.set(name, {
      files: {
        weights: await bytesOf(weights),
        config: await bytesOf(config),
        ...(graph && { graph: await bytesOf(graph) }),
      },
    });
  }
  try {
    const opened = await openNamed(name, {});
    await opened.extract({ width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(128) });
    await opened.dispose();
  } catch (error) {
    own.delete(name);
    throw error;
  }
  return name;
}

const bytesOf = async (file: File): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());

/** An exported graph in the page, which has options and sizes of its own. */
async function exportedExtractor(name: string, bytes: Uint8Array): Promise<WebExtractor> {
  const digest = await sha256(bytes);
  const session = await webRuntime.open(bytes).catch((error: Error) => {
    throw new Error(`${name}: it does not open as an ONNX model: ${error.message}`);
  });
  const info = {
    model: name,
    sha256: digest,
    dim: 0,
    session: session.info,
    choice: { backend: "wasm" as const, checked: false, reason: "exported files run on WebAssembly here" },
    worker: { used: false, reason: "an exported file" },
  };
  const extract = async (image: Image): Promise<FloatFeatures> => {
    try {
      const features = await runExported(session, image, { input: "float32" }).catch((error: Error) => {
        if (!/uint8/i.test(error.message)) throw error;
        return runExported(session, image, { input: "uint8" });
      });
      info.dim = features.dim;
      return features;
    } catch (error) {
      throw new Error(
        `${name}: it does not run on a picture of ${image.width} × ${image.height}: ${(error as Error).message}. ` +
          "Files of strata export with their pixels as NHWC are run here, at the sizes that they were made for",
      );
    }
  };
  const extractor: Extractor = {
    info,
    options: {} as Extractor["options"],
    extract,
    async extractBatch(images) {
      const all: FloatFeatures[] = [];
      for (const image of images) all.push(await extract(image));
      return all;
    },
    dispose: () => session.dispose(),
  };
  return extractor as WebExtractor;
}
