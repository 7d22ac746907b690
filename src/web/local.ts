/** An extractor where it is called: in a worker of the library's own, or in the page itself. */
import { FormatError, StateError } from "../errors.js";
import type { ExtractorInfo } from "../extract/extractor.js";
import { GraphExtractor } from "../extract/graph-extractor.js";
import type { MapViews } from "../extract/maps.js";
import { type ExtractOptions, extractOptions } from "../extract/options.js";
import { GRAPH_FILE, hasPrepared, preparedCode, preparedKey } from "../extract/prepared.js";
import { type ProbePoints, parseProbePoints } from "../extract/probe.js";
import type { PreparedModel } from "../extract/runtime.js";
import { openModel } from "../families.js";
import type { FloatFeatures } from "../features.js";
import { parseJson } from "../formats/bytes.js";
import { readSafetensors } from "../formats/safetensors.js";
import type { compile } from "../graph/compile.js";
import { notesOf } from "../graph/prepared.js";
import type { Runtime, Session } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { type ImageParts, isParts } from "../image/parts.js";
import { sha256 } from "../sha256.js";
import { type BackendChoice, type BackendPlan, checkKey, chooseBackend, type Opened } from "./backend.js";
import { type ImageSource, isPixels, type OpenedImage, openImage } from "./images.js";
import { readModelCache, writeModelCache } from "./model-cache.js";
import { fetchModel, type ModelAddresses, type ModelBytes, type ModelProgress } from "./model-files.js";
import { startRuntime } from "./sessions.js";

/** What opens an extractor, ready to be sent to a worker. */
export interface LocalOptions {
  model: { addresses: ModelAddresses } | { bytes: ModelBytes };
  extract: Partial<ExtractOptions>;
  plan: BackendPlan;
  threads?: number;
  tilePixels: number;
  cache: boolean;
}

/** What cannot be sent. */
export interface LocalContext {
  /** In place of onnxruntime-web; nothing is chosen or checked then. */
  runtime?: Runtime;
  compile?: typeof compile;
  signal?: AbortSignal;
  onProgress?: (progress: ModelProgress) => void;
}

/** What an extractor in a page says of itself. */
export interface LocalInfo extends ExtractorInfo {
  /** Which backend was taken, and why; there once the first image has been extracted. */
  choice?: BackendChoice;
}

export async function openLocal(options: LocalOptions, context: LocalContext = {}): Promise<LocalExtractor> {
  const { model, cache, extract } = options;
  const { signal, onProgress } = context;
  if (!context.runtime) startRuntime(options.plan.build, options.threads);
  const files =
    "bytes" in model
      ? model.bytes
      : await fetchModel(model.addresses, { cache, code: preparedCode(), signal, onProgress });
  const { where, graph } = files;
  const { tensors } = named(files.where, () => readSafetensors(files.weights));
  const opened = openModel(
    where,
    tensors,
    parseJson(`${where}: config.json`, files.config),
    {},
    await sha256(files.weights),
  );
  const prepared =
    hasPrepared() && graph ? { where: `${where}: ${GRAPH_FILE}`, file: graph, key: preparedKey(opened) } : null;
  return new LocalExtractor(opened, extractOptions(extract, opened.defaults), prepared, options, context);
}

/** Bytes that a page's image and its tiles may take: the largest bitmaps that are read leave room for small tiles. */
const MEMORY = 480e6;

type OpenedModel = ReturnType<typeof openModel>;

/** A model with the backend that its first image chooses. */
export class LocalExtractor {
  readonly info: LocalInfo;
  private chosen: Promise<GraphExtractor> | undefined;
  private fallback: string | undefined;
  private disposed = false;

  constructor(
    private readonly opened: OpenedModel,
    readonly options: ExtractOptions,
    private readonly prepared: PreparedModel | null,
    private readonly given: LocalOptions,
    private readonly context: LocalContext,
  ) {
    // Options that the model has no use for are refused now.
    this.info = this.extractorOn(undefined, options).info;
  }

  async extractBatch(images: readonly (Image | ImageParts)[]): Promise<FloatFeatures[]> {
    if (this.disposed) throw new StateError("extract: this extractor was disposed");
    // A page that was offline for a moment may try again.
    this.prepare();
    const extractor = (await this.chosen) as GraphExtractor;
    const features = await extractor.extractBatch(images);
    const { graph, session } = extractor.info;
    // A GPU that is lost later says so itself.
    if (session && this.fallback !== undefined) session.fallback ??= this.fallback;
    Object.assign(this.info, { graph, session });
    return features;
  }

  /** What there is to see of an image in the network's maps, which are traced for it. */
  async views(image: Image): Promise<MapViews | null> {
    if (this.disposed) throw new StateError("views: this extractor was disposed");
    this.prepare();
    return ((await this.chosen) as GraphExtractor).views(image);
  }

  /**
   * Features of what a page has, in order. Large ones are opened one at a time, for each takes as much memory as there may
   * be; `release` is called for each source when it is
   * read, or when nothing comes of it.
   */
  async extractSources(
    sources: readonly (Image | ImageSource)[],
    signal?: AbortSignal,
    release?: (source: Image | ImageSource) => void,
  ): Promise<FloatFeatures[]> {
    const results: FloatFeatures[] = [];
    let small: Image[] = [];
    const flush = async () => {
      if (small.length > 0) results.push(...(await this.extractBatch(small)));
      small = [];
    };
    try {
      for (const source of sources) {
        const opened: OpenedImage = isPixels(source) ? { image: source, close() {} } : await openImage(source);
        try {
          signal?.throwIfAborted();
          if (isParts(opened.image)) {
            await flush();
            results.push(...(await this.extractBatch([opened.image])));
          } else small.push(opened.image);
        } finally {
          opened.close();
          release?.(source);
        }
      }
      await flush();
      return results;
    } finally {
      for (const source of sources) release?.(source);
    }
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    const extractor = await this.chosen?.catch(() => undefined);
    await extractor?.dispose();
  }

  /** Chooses and opens a backend now rather than with the first image, which is told what goes wrong. */
  prepare(): void {
    this.chosen ??= this.choose();
    this.chosen.catch(() => {
      this.chosen = undefined;
    });
  }

  private async choose(): Promise<GraphExtractor> {
    const { runtime } = this.context;
    if (runtime) return this.extractorOn(runtime, this.options);
    const { plan, threads } = this.given;
    const expected = this.expected();
    const key = expected && this.given.cache ? checkKey(plan, this.info.sha256, preparedCode()) : null;
    const known = key !== null && (await readModelCache(key, "1")) !== undefined;
    const { extractor, choice, fallback } = await chooseBackend(plan, threads, known ? null : expected, (on) =>
      this.onOneSession(on),
    );
    if (known) choice.checked = true;
    else if (key !== null && choice.checked) await writeModelCache(key, "1", new Uint8Array(1));
    this.info.choice = choice;
    this.fallback = fallback;
    return extractor;
  }

  /** The stored points of the check picture. */
  private expected(): ProbePoints | null {
    if (!this.prepared) return null;
    const { where, file } = this.prepared;
    try {
      const notes = Object(notesOf(where, file)) as { probe?: unknown };
      return parseProbePoints(where, notes.probe);
    } catch (error) {
      // A damaged graph is told, with its reason, by the extractor that cannot open it.
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  /** The caller's extractor and the one of the check on one session, where both have the same graph. */
  private onOneSession(on: Runtime): Opened<GraphExtractor> {
    let session: Promise<Session> | undefined;
    const shared: Runtime = {
      name: on.name,
      open(model, options) {
        session ??= on.open(model, options);
        return session;
      },
    };
    const { model, defaults } = this.opened;
    const kind = (options: ExtractOptions) => model.reading?.(options)?.kind;
    const own = kind(extractOptions({}, defaults));
    const same = own !== undefined && own === kind(this.options) && this.prepared !== null;
    return {
      extractor: this.extractorOn(shared, this.options),
      probe: same
        ? (options, image) => this.extractorOn(shared, extractOptions(options, defaults)).extract(image)
        : null,
    };
  }

  private extractorOn(runtime: Runtime | undefined, options: ExtractOptions): GraphExtractor {
    const { tilePixels, threads } = this.given;
    const { compile } = this.context;
    return new GraphExtractor(this.opened.model, options, {
      runtime,
      prepared: this.prepared,
      tilePixels,
      memory: MEMORY,
      threads,
      compile,
    });
  }
}

/** What is wrong with a file, with its place. */
function named<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${where}: ${error.message}`, { cause: error });
    throw error;
  }
}
