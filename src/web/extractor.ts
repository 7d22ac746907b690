/** Models in a browser: by name, from addresses or bytes; in a worker of the library's own or in the page. */

import { checkBytes, checkFlag, checkFunction, checkList, checkObject, checkText, wrong } from "../check.js";
import { OptionError, StateError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import type { MapViews } from "../extract/maps.js";
import { type ExtractOptions, extractOptions } from "../extract/options.js";
import type { FloatFeatures } from "../features.js";
import type { compile } from "../graph/compile.js";
import type { Runtime } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { checkTargets, type DetectorTarget } from "../track/check-targets.js";
import type { Detector } from "../track/detector.js";
import { planBackend, WEB_BACKENDS, type WebBackend } from "./backend.js";
import type { ImageSource } from "./images.js";
import type { LocalContext, LocalInfo, LocalOptions } from "./local.js";
import type { ModelAddresses, ModelProgress } from "./model-files.js";
import { haveWorkers, RemoteExtractor, startWorker } from "./remote.js";
import { SHIPPED, SHIPPED_MODELS, type ShippedModel } from "./shipped.js";
import { wasmForWorker } from "./wasm-address.js";

/** Model, options of extraction and runtime of openExtractor. */
export interface OpenOptions extends Partial<ExtractOptions> {
  /**
   * Name of a model of the package ("strata-s", "strata-xs", "strata-t"), address of a model folder (with model.safetensors,
   * config.json and graph.onnx; a relative one begins with a dot or a slash), or the bytes of these files.
   */
  model: ShippedModel | (string & {}) | URL | { weights: Uint8Array; config: Uint8Array; graph?: Uint8Array };
  /**
   * Work in a worker of the library's own, so that the page stays free. Default true where none of `runtime` and `compile`
   * is given; where no worker can be started, the page works itself and `info.worker` says why.
   */
  worker?: boolean;
  /**
   * "auto" takes the GPU where there is one, where it finds the points that it should, and where it is quicker than
   * WebAssembly; "webgpu" does not compare times. Default "auto". `info.choice` says what was taken, and why.
   */
  backend?: WebBackend;
  /** Threads of WebAssembly; pages that are not cross-origin isolated have one. Default: one per core. */
  threads?: number;
  /** In place of onnxruntime-web, in the page; nothing is checked at first use. */
  runtime?: Runtime;
  /**
   * `compile` of strata-features: traces the model in the page where no prepared graph fits (other options, other models).
   * It brings jax-js into the page. Default: none, and what needs it is an UnsupportedError.
   */
  compile?: typeof compile;
  /**
   * Images of more pixels than this are extracted in tiles of at most as many, with the same keypoints; a default model
   * takes some 220 bytes of memory for each. Networks of the reference see images whole. Default 786 432 (1024 × 768).
   */
  tilePixels?: number;
  /** Keep the model's files in the browser's Cache storage, and use those that are kept. Default true. */
  cache?: boolean;
  /** Gives up downloading and opening, with the signal's reason. */
  signal?: AbortSignal;
  /** Called as the model's files arrive. */
  onProgress?: (progress: ModelProgress) => void;
}

/** What an extractor in a page says of itself. */
export interface WebExtractorInfo extends LocalInfo {
  /** Whether it works in a worker; `reason`: why not, where it should. */
  worker: { used: boolean; reason?: string };
}

/** How one image is extracted in a page. */
export interface WebExtractOptions {
  /**
   * Give the source over: its buffer, bitmap or video frame moves to the worker without a copy, and is of no use afterwards.
   * Default false.
   */
  transfer?: boolean;
  /** Gives up waiting, with the signal's reason; what has not begun is not done. */
  signal?: AbortSignal;
}

/** An extractor that takes whatever a page can draw. */
export interface WebExtractor extends Extractor {
  readonly info: WebExtractorInfo;
  /** Features of one image, frame, file or element, best score first. */
  extract(source: Image | ImageSource, options?: WebExtractOptions): Promise<FloatFeatures>;
  /** Features of several, in their order. */
  extractBatch(sources: readonly (Image | ImageSource)[], options?: WebExtractOptions): Promise<FloatFeatures[]>;
  /**
   * A detector of targets in the worker, so that a search takes nothing of the page's time; createTracker makes one by itself.
   * Absent where there is no worker. Throws what createDetector of strata-features/track throws.
   */
  createDetector?(targets: readonly DetectorTarget[]): Detector;
  /**
   * What there is to see of an image in the network's maps: scores, and what each level adds. Null for a model that shows
   * none; absent in a worker, and without `compile`, which traces them.
   */
  views?(image: Image): Promise<MapViews | null>;
  /** Frees memory and ends the worker; a second call does nothing. What is under way ends with a StateError. */
  dispose(): Promise<void>;
}

/** Fewer than in Node: a page has less memory. */
const TILE_PIXELS = 1024 * 768;

const WHERE = "openExtractor";

/**
 * An extractor over a model of any family. Throws an IoError for an address that does not answer, a FormatError for files
 * that are not what they should be, an OptionError for what is not offered, an UnsupportedError where a browser lacks what
 * is needed.
 */
export async function openExtractor(options: OpenOptions): Promise<WebExtractor> {
  const { local, context, backend, worker } = checkOptions(options);
  const { signal } = context;
  signal?.throwIfAborted();
  const about = "addresses" in local.model ? local.model.addresses.weights : "bytes";
  const plan = await planBackend(backend, about);
  const own = { ...local, plan };
  if (!worker) return inPage(own, context, { used: false });
  const { build } = plan;
  const started = await startWorker(build, signal);
  if ("reason" in started) return inPage(own, context, { used: false, reason: started.reason });
  const remote = await RemoteExtractor.open(started, own, wasmForWorker(build), context);
  const info = Object.assign(remote.info, { worker: { used: true } });
  return extractorOf(info, remote.options, remote);
}

async function inPage(
  options: LocalOptions,
  context: LocalContext,
  worker: WebExtractorInfo["worker"],
): Promise<WebExtractor> {
  const { openInPage } = await import("./in-page.js");
  const page = await openInPage(options, context);
  const { views, ...inner } = page;
  return extractorOf(Object.assign(page.info, { worker }), page.options, context.compile ? { ...inner, views } : inner);
}

/** What both kinds do: the page's and the worker's. */
interface Inner {
  extractBatch(sources: readonly (Image | ImageSource)[], options: WebExtractOptions): Promise<FloatFeatures[]>;
  createDetector?(targets: readonly DetectorTarget[]): Detector;
  views?(image: Image): Promise<MapViews | null>;
  dispose(): Promise<void>;
}

function extractorOf(info: WebExtractorInfo, options: ExtractOptions, inner: Inner): WebExtractor {
  let disposed = false;
  const extractBatch: WebExtractor["extractBatch"] = async (sources, given = {}) => {
    if (disposed) throw new StateError("extract: this extractor was disposed");
    checkList("extractBatch", "sources", sources);
    const { transfer, signal } = withDefaults<WebExtractOptions>(
      "extract",
      { transfer: false, signal: undefined },
      given,
    );
    checkSignal("extract", signal);
    signal?.throwIfAborted();
    return inner.extractBatch(sources, { transfer, signal });
  };
  return {
    info,
    options,
    extractBatch,
    extract: async (source, given) => (await extractBatch([source], given))[0],
    ...(inner.createDetector && {
      createDetector(targets: readonly DetectorTarget[]): Detector {
        checkTargets("createDetector", targets, info);
        return inner.createDetector?.(targets) as Detector;
      },
    }),
    ...(inner.views && { views: inner.views }),
    async dispose() {
      if (disposed) return;
      disposed = true;
      await inner.dispose();
    },
  };
}

interface Checked {
  local: Omit<LocalOptions, "plan">;
  context: LocalContext;
  backend: WebBackend;
  worker: boolean;
}

/** Everything that can be refused before anything is loaded. */
function checkOptions(options: OpenOptions): Checked {
  checkObject(WHERE, "options", options);
  const { model, runtime, compile, backend = "auto", threads, tilePixels = TILE_PIXELS, ...more } = options;
  const { worker, cache = true, signal, onProgress, ...extract } = more;
  if (runtime !== undefined && typeof runtime?.open !== "function") {
    throw wrong(WHERE, '"runtime"', "an object with the method open", runtime);
  }
  if (compile !== undefined) checkFunction(WHERE, '"compile"', compile);
  if (worker !== undefined) checkFlag(WHERE, '"worker"', worker);
  const functions = runtime ? "runtime" : compile ? "compile" : null;
  if (worker && functions) {
    throw new OptionError(`${WHERE}: "${functions}" cannot be sent to a worker; leave it out, or give worker: false`);
  }
  checkChoice(WHERE, "backend", backend, WEB_BACKENDS);
  if (threads !== undefined) checkNumber(WHERE, "threads", threads, { min: 1, max: 256, integer: true });
  checkNumber(WHERE, "tilePixels", tilePixels, { min: 1, integer: true });
  checkFlag(WHERE, '"cache"', cache);
  checkSignal(WHERE, signal);
  if (onProgress !== undefined) checkFunction(WHERE, '"onProgress"', onProgress);
  extractOptions(extract);
  return {
    local: { model: checkModel(model), extract, threads, tilePixels, cache },
    context: { runtime, compile, signal, onProgress },
    backend: runtime ? "wasm" : backend,
    worker: worker ?? (functions === null && haveWorkers()),
  };
}

function checkModel(model: OpenOptions["model"] | undefined): LocalOptions["model"] {
  if (!model) {
    throw new OptionError(
      `${WHERE}: give a model: ${SHIPPED_MODELS.map((name) => `"${name}"`).join(", ")}, or the address of a model folder, ` +
        "e.g. new URL('./models/strata-s/', location.href)",
    );
  }
  if (typeof model === "object" && !(model instanceof URL)) {
    const { weights, config, graph } = checkObject(WHERE, '"model"', model);
    if (graph !== undefined) checkBytes(`${WHERE}: graph`, graph);
    checkBytes(`${WHERE}: weights`, weights);
    checkBytes(`${WHERE}: config`, config);
    return { bytes: { ...(model as { weights: Uint8Array; config: Uint8Array }), where: "model" } };
  }
  if (!(model instanceof URL)) checkText(WHERE, '"model"', model);
  const shipped = SHIPPED_MODELS.find((name) => name === model);
  return { addresses: shipped ? SHIPPED[shipped]() : inFolder(String(model)) };
}

/** The files of a model folder; an address may be relative to the page. */
function inFolder(model: string): ModelAddresses {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  let folder: URL;
  try {
    folder = new URL(model, base);
  } catch {
    throw new OptionError(`${WHERE}: "${model}" is no address of a model folder`);
  }
  // What stands behind a question mark may be a key to the files.
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const file = (name: string) => {
    const address = new URL(name, folder);
    address.search = folder.search;
    return address.href;
  };
  return { weights: file("model.safetensors"), config: file("config.json"), graph: file("graph.onnx") };
}

function checkSignal(where: string, signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw wrong(where, '"signal"', "an AbortSignal", signal);
}
