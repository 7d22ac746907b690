/**
 * What every extractor does around its network: options, scaling, batches of equal size, the session that is opened with
 * the first image. A model brings the dense pass and what is made of its maps. Nothing here can trace: a page that opens
 * prepared graphs has no need of jax-js, not even in a part that is never loaded (dense.ts is the one that traces).
 */

import { checkList } from "../check.js";
import { FormatError, StateError, UnsupportedError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import type { Compiled, CompileOptions, compile, Feed, InputSpec } from "../graph/compile.js";
import { openPrepared } from "../graph/prepared.js";
import type { Tensor } from "../graph/session.js";
import type { Tree } from "../graph/trace.js";
import { checkImage, type Image } from "../image/image.js";
import { type ImageParts, isParts, partsOf, wholeOf } from "../image/parts.js";
import { fitSize, resizeParts } from "../image/resize.js";
import { type Shrinking, shrinking } from "../image/shrink.js";
import { withinLimits } from "../limits.js";
import { checkNumber } from "../options.js";
import { type DenseModel, type GraphReading, readingInputs, sampleDims } from "./dense-model.js";
import type { Extractor, ExtractorInfo } from "./extractor.js";
import { withoutFlat, withoutFlatParts } from "./flat.js";
import { type DenseMap, type MapViews, mapsOfImage } from "./maps.js";
import type { ExtractOptions } from "./options.js";
import { imageToPlanes } from "./preprocess.js";
import { type DenseRuntime, type Network, TILE_PIXELS } from "./runtime.js";
import { mergeScales, type ScaleFeatures, scaleLimits } from "./scales.js";
import { SPREAD_POOL, spreadFeatures } from "./spread.js";
import { bestOf, type Extent, inImage, planTiles, tileImage } from "./tiles.js";

/** An image, and the same reduced as `maxEdge` and `maxSumEdges` say. */
interface Prepared {
  image: Image | ImageParts;
  reduced: Image | ImageParts;
}

/** Images in one dense pass; more only take memory. */
const BATCH = 4;

/** Bytes of memory for a pixel of a tile, and the fewest pixels of tiles that have to be small: smaller ones are all margin. */
const TILE_BYTES = 220;
const LEAST_TILE = 2 ** 18;

/** The extractor of every family: a network over an image, and features read off its maps; with prepared graphs alone. */
export class GraphExtractor implements Extractor {
  private compiled: Promise<Compiled> | undefined;
  private compiledReading: Promise<Compiled> | undefined;
  private readonly reading: GraphReading | null;
  private disposed = false;
  private planes = new Float32Array(0);
  /** The dense pass before the next one: they share `planes`, so calls that overlap wait for each other. */
  private last: Promise<void> = Promise.resolve();
  readonly info: ExtractorInfo;
  private readonly tilePixels: number;
  private readonly memory: number;
  protected readonly runtime: Omit<DenseRuntime, "tilePixels" | "memory">;

  constructor(
    protected readonly model: DenseModel,
    readonly options: ExtractOptions,
    { tilePixels = TILE_PIXELS, memory = Number.POSITIVE_INFINITY, ...runtime }: DenseRuntime = {},
  ) {
    this.tilePixels = checkNumber("extract", "tilePixels", tilePixels, { min: 1, integer: true });
    this.memory = memory;
    this.runtime = runtime;
    model.checkOptions?.(options);
    this.reading = model.reading?.(options) ?? null;
    const { name, sha256, dim, verdict } = model;
    this.info = { model: name, sha256, dim, ...(verdict && { verdict }) };
  }

  async extract(image: Image | ImageParts): Promise<FloatFeatures> {
    return (await this.extractBatch([image]))[0];
  }

  async extractBatch(images: readonly (Image | ImageParts)[]): Promise<FloatFeatures[]> {
    this.checkOpen();
    checkList("extractBatch", "images", images);
    const prepared = images.map((image) => this.prepare(image));
    const results: FloatFeatures[] = [];
    while (results.length < prepared.length) {
      const first = prepared[results.length].reduced;
      const most = this.model.tiles ? Math.floor(this.tilePixels / (first.width * first.height)) : BATCH;
      const next = prepared.slice(results.length, results.length + Math.min(BATCH, Math.max(1, most)));
      const other = next.findIndex(({ reduced }) => reduced.width !== first.width || reduced.height !== first.height);
      const count = other < 0 ? next.length : other;
      results.push(...(await this.features(prepared.slice(results.length, results.length + count))));
    }
    return results;
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await this.last;
    for (const opened of [this.compiled, this.compiledReading]) {
      const compiled = await opened?.catch(() => undefined);
      await compiled?.dispose();
    }
  }

  /** Features of a batch whose reduced images are all of one size. */
  private features(batch: readonly Prepared[]): Promise<FloatFeatures[]> {
    const { width, height } = batch[0].reduced;
    const images = batch.length === 1 ? "an image" : `${batch.length} images at a time`;
    // Of what goes in tiles only an image smaller than one takes less memory.
    const share = this.model.tiles ? Math.min(1, Math.sqrt(this.tilePixels / (width * height))) : 1;
    return withinLimits(() => this.atAllScales(batch), {
      what: `${images} of ${width} × ${height} pixels`,
      remedy:
        `give --max-edge (in code maxEdge) a number below ${Math.floor(Math.max(width, height) * share)}, do less at a time (--jobs), or ` +
        "allow more memory (ulimit -v, the container's limit)",
    });
  }

  private async atAllScales(batch: readonly Prepared[]): Promise<FloatFeatures[]> {
    const found: ScaleFeatures[][] = batch.map(() => []);
    const { scales, maxFeatures, spread } = this.options;
    const pool = spread && maxFeatures !== null ? SPREAD_POOL * maxFeatures : maxFeatures;
    const limits = scaleLimits(scales, pool);
    const tilePixels = this.tilePixelsBeside(batch);
    for (const [s, scale] of scales.entries()) {
      const shrunk = batch.map(({ reduced }) => shrinking(reduced, scale));
      const features = await this.atOneScale(shrunk, limits[s], tilePixels);
      for (const [i, { image, reduced }] of batch.entries()) {
        const [stepX, stepY] = shrunk[i].step;
        const step = [(stepX * image.width) / reduced.width, (stepY * image.height) / reduced.height] as const;
        found[i].push({ features: features[i], step });
      }
    }
    return batch.map(({ image }, i) => {
      const merged = mergeScales(found[i], [image.width, image.height], pool);
      return spread && maxFeatures !== null ? spreadFeatures(merged, maxFeatures) : merged;
    });
  }

  /** At most `limit` features (null: all) of images of one size, in their pixels; large ones tile by tile. */
  private async atOneScale(
    images: readonly Shrinking[],
    limit: number | null,
    tilePixels: number,
  ): Promise<FloatFeatures[]> {
    const { width, height } = images[0];
    const { tiles: needs, leavesFlatOut } = this.model;
    const tiles = needs && planTiles(images[0], needs, tilePixels);
    if (!tiles) {
      const whole = images.map((image) => image.part(0, 0, width, height));
      const features = await this.inOnePass(whole, limit, { width, height });
      return leavesFlatOut ? features.map((one, i) => withoutFlat(one, whole[i])) : features;
    }
    const results: FloatFeatures[] = [];
    for (const image of images) {
      let found: FloatFeatures[] = [];
      for (const tile of tiles) {
        const [features] = await this.inOnePass([tileImage(image, tile)], limit, tile.extent);
        found.push(inImage(features, tile));
        // What can no longer be among the best is let go.
        if (limit !== null) found = [bestOf(found, limit, [width, height])];
      }
      const best = bestOf(found, limit, [width, height]);
      results.push(leavesFlatOut ? withoutFlatParts(best, image) : best);
    }
    return results;
  }

  /** Pixels of a tile beside images that take memory of their own. */
  private tilePixelsBeside(batch: readonly Prepared[]): number {
    const held = new Set(batch.flatMap(({ image, reduced }) => [image, reduced]));
    const bytes = [...held].reduce((sum, image) => sum + partsOf(image).bytes, 0);
    const room = Math.floor((this.memory - bytes) / TILE_BYTES);
    return Math.min(this.tilePixels, Math.max(LEAST_TILE, room));
  }

  private async inOnePass(images: readonly Image[], limit: number | null, extent: Extent): Promise<FloatFeatures[]> {
    const options = { ...this.options, maxFeatures: limit };
    const fitted = images.map((image) => this.model.fit(image));
    const { reading } = this;
    if (!reading) {
      const outputs = await this.dense(fitted);
      return images.map((_, i) => this.model.read(mapsOfImage(outputs, i), extent, options));
    }
    const feeds = reading.feeds(extent, fitted[0], options);
    const outputs = await this.pass(fitted, () => this.openReading(reading), feeds);
    return images.map((_, i) => reading.read(outputs, i, extent));
  }

  /** The maps themselves, for tests and pictures: outputs of the network for images of one size. */
  async dense(images: readonly Image[]): Promise<Record<string, Tensor>> {
    return this.pass(images, () => this.openDense());
  }

  /** One image's maps, for pictures; `covered` is the share of them across and down that is the image, not its padding. */
  async maps(image: Image): Promise<{ maps: Record<string, DenseMap>; covered: [number, number] }> {
    const { reduced } = this.prepare(image);
    const fitted = this.model.fit(wholeOf(reduced));
    const maps = mapsOfImage(await this.dense([fitted]), 0);
    return { maps, covered: [reduced.width / fitted.width, reduced.height / fitted.height] };
  }

  /** What there is to see of an image in the network's maps; null for a model that shows none. */
  async views(image: Image): Promise<MapViews | null> {
    const { maps, covered } = await this.maps(image);
    return this.model.views?.(maps, covered) ?? null;
  }

  private async pass(
    images: readonly Image[],
    open: () => Promise<Compiled>,
    feeds: Record<string, Feed> = {},
  ): Promise<Record<string, Tensor>> {
    this.checkOpen();
    const pass = this.last.then(() => this.run(images, open, feeds));
    // Only the end of a pass is remembered, not its results.
    const done = () => undefined;
    this.last = pass.then(done, done);
    return pass;
  }

  private async run(images: readonly Image[], open: () => Promise<Compiled>, feeds: Record<string, Feed>) {
    const { width, height } = images[0];
    const each = 3 * width * height;
    if (this.planes.length < each * images.length) this.planes = new Float32Array(each * images.length);
    images.forEach((image, i) => {
      imageToPlanes(image, this.model.preprocessing, this.planes.subarray(i * each, (i + 1) * each));
    });
    const compiled = await open();
    const data = this.planes.subarray(0, each * images.length);
    return compiled.run({ image: { data, shape: [images.length, 3, height, width] }, ...feeds });
  }

  private checkOpen(): void {
    if (this.disposed) throw new StateError("extract: this extractor was disposed");
  }

  private openDense(): Promise<Compiled> {
    const { network, params } = this.model;
    this.compiled ??= this.trace(network, { image: { shape: ["N", 3, "H", "W"] }, params }, null);
    return this.compiled;
  }

  private openReading(reading: GraphReading): Promise<Compiled> {
    this.compiledReading ??= this.openPreparedReading(reading);
    return this.compiledReading;
  }

  /** As it was prepared; where that is not for this model, code or options, traced, and the reason is told. */
  private async openPreparedReading(reading: GraphReading): Promise<Compiled> {
    const inputs = readingInputs(this.model, reading);
    const { prepared } = this.runtime;
    let reason: string | undefined;
    if (prepared) {
      const { where, file, key } = prepared;
      try {
        const compiled = await openPrepared(where, file, { ...key, options: reading.kind }, inputs, this.place());
        this.info.session = compiled.info;
        this.info.graph = { prepared: true };
        return compiled;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        reason = error.message;
      }
    }
    return this.trace(reading.network, inputs, reading, reason);
  }

  /** Where sessions run. */
  protected place(): Pick<CompileOptions, "runtime" | "backend" | "threads"> {
    const { runtime, backend, threads } = this.runtime;
    return { runtime, backend, threads };
  }

  /** Tracing and what it needs are loaded here: a prepared graph does without. */
  protected async trace(
    network: Network,
    inputs: Record<string, Tree<InputSpec>>,
    reading: GraphReading | null,
    reason?: string,
  ): Promise<Compiled> {
    const traced = await this.loadCompile(reason);
    this.tellTraced(reason);
    const { name } = this.model;
    const dims = sampleDims(this.model, reading);
    const compiled = await traced(network as never, inputs, { ...this.place(), dims, name });
    this.info.session = compiled.info;
    return compiled;
  }

  protected tellTraced(reason?: string): void {
    if (reason) this.info.graph = { prepared: false, reason: `${reason}; it is traced instead, which takes longer` };
    else this.info.graph ??= { prepared: false };
  }

  /** What traces, for graphs that nobody prepared; `reason`: why one that was cannot be used. */
  protected async loadCompile(
    reason = `none was prepared for ${this.model.name} with these options`,
  ): Promise<typeof compile> {
    if (this.runtime.compile) return this.runtime.compile;
    throw new UnsupportedError(
      `extract: there is no graph to run: ${reason}; give "compile" of strata-features to openExtractor and it is traced here, ` +
        "or leave out the options nms, refine and detection",
    );
  }

  private prepare(image: Image | ImageParts): Prepared {
    if (!isParts(image)) checkImage("extract", image);
    const { maxEdge, maxSumEdges } = this.options;
    const [width, height] = fitSize(image.width, image.height, {
      maxEdge: maxEdge ?? undefined,
      maxSumEdges: maxSumEdges ?? undefined,
    });
    const same = width === image.width && height === image.height;
    return { image, reduced: same ? image : resizeParts(partsOf(image), width, height) };
  }
}
