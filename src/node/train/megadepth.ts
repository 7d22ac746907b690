/**
 * MegaDepth as a source of training pairs: scenes from `scene_info`, pairs and their central points drawn anew in each
 * epoch, crops of images and depth maps around them. reference.md §3; the data set's layout is D2-Net's.
 *
 * An epoch's pairs are drawn scene by scene when its first pair is asked for (a scene's points may take a hundred
 * megabytes, so few are kept), then shuffled; images and depth maps are read when their pair is due.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { FormatError, IoError, OptionError, ShapeError, StateError } from "../../errors.js";
import { readSceneInfo, type SceneInfo } from "../../formats/scene-info.js";
import type { Image } from "../../image/image.js";
import { LruCache } from "../../lru-cache.js";
import { checkChoice, checkNumber, withDefaults } from "../../options.js";
import { cropBox, cropDepth, cropImage, type DepthMap } from "../../train/data/megadepth-crop.js";
import {
  checkCriteria,
  type DrawnPair,
  drawPair,
  PAIR_CRITERIA,
  type PairCriteria,
  type UsableView,
  usablePairs,
} from "../../train/data/megadepth-pairs.js";
import { randomFor, SPLITS, type Split, shuffled, splitScenes } from "../../train/data/megadepth-plan.js";
import { REFERENCE_SEED } from "../../train/options.js";
import type { PairSource, TrainingPair } from "../../train/types.js";
import { readFileChecked } from "../atomic.js";
import { loadImage } from "../images.js";
import { pathBelow, readDepth, readSceneList } from "./megadepth-files.js";

/** Names the data set's folder where the options do not. */
export const DATASET_VARIABLE = "MegaDepthDatasetPath";

/** Which pairs of MegaDepth are drawn. */
export interface MegaDepthOptions extends PairCriteria {
  /** The data set's folder; default null: what the environment's MegaDepthDatasetPath says. */
  data: string | null;
  /** Folder of the scenes' npz files; default null: scene_info in the data set's folder. */
  sceneInfo: string | null;
  /** "train": train_scenes.txt, "valid": valid_scenes.txt, anything else: the path of a list. Default "train". */
  scenes: string;
  /** Which part of these scenes, 80 / 20 by the seed; default "all". */
  split: Split;
  /** Pairs drawn per scene and epoch; default 100. */
  pairsPerScene: number;
  /** Pixels of the square crops; default 256. */
  cropSize: number;
  /** Default 42. */
  seed: number;
  /** Memory for scenes, and again for images and depth maps that may be needed again, in bytes; default 256 MiB. */
  cache: number;
}

/** Defaults of a MegaDepth source. */
export const MEGADEPTH_DEFAULTS: MegaDepthOptions = {
  data: null,
  sceneInfo: null,
  scenes: "train",
  split: "all",
  pairsPerScene: 100,
  ...PAIR_CRITERIA,
  cropSize: 256,
  seed: REFERENCE_SEED,
  cache: 2 ** 28,
};

/** A scene that is not trained on, and why. */
export interface SkippedScene {
  scene: string;
  reason: string;
}

interface LoadedScene {
  info: SceneInfo;
  pairs: Uint32Array;
  bytes: number;
  sha256: string;
}

interface LoadedView {
  image: Image;
  depth: DepthMap;
  bytes: number;
}

interface Draw {
  id: string;
  pair: DrawnPair | null;
}

/** Epochs whose draws are kept: the one at work, the next one's beginning, and validation's. */
const KEPT_EPOCHS = 3;

/** Tells the draw of an epoch's order from those of its scenes. */
const ORDER_DRAW = 0xffffffff;

/** Pairs of MegaDepth, with depth and poses. */
export class MegaDepthSource implements PairSource {
  private readonly recentScenes: LruCache<LoadedScene>;
  private readonly recentViews: LruCache<LoadedView>;
  private readonly epochs = new Map<number, Promise<Draw[]>>();
  private disposed = false;

  private constructor(
    private readonly folder: string,
    private readonly sceneFolder: string,
    readonly options: Readonly<MegaDepthOptions>,
    /** Scenes that pairs are drawn from. */
    readonly scenes: readonly string[],
    /** Scenes of the list that have no file or no usable pair. */
    readonly skipped: readonly SkippedScene[],
    readonly digest: string,
  ) {
    this.recentScenes = new LruCache(options.cache);
    this.recentViews = new LruCache(options.cache);
  }

  /**
   * Opens the data set and looks through its scenes. OptionError for wrong options, IoError that names the files that
   * are missing, FormatError for damaged scenes and when no scene has a usable pair.
   */
  static async open(given: Partial<MegaDepthOptions> = {}): Promise<MegaDepthSource> {
    const where = "MegaDepthSource";
    const options = withDefaults<MegaDepthOptions>(where, MEGADEPTH_DEFAULTS, given);
    checkOptions(where, options);
    const folder = options.data ?? process.env[DATASET_VARIABLE];
    if (!folder) throw new OptionError(`${where}: give "data", the data set's folder, or set ${DATASET_VARIABLE}`);
    const sceneFolder = options.sceneInfo ?? join(folder, "scene_info");
    const isNamed = options.scenes === "train" || options.scenes === "valid";
    const list = isNamed ? join(folder, `${options.scenes}_scenes.txt`) : options.scenes;
    await checkThere(folder, [list, sceneFolder]);
    const listed = await readSceneList(list);
    if (options.split !== "all" && listed.length < 2) {
      throw new OptionError(
        `${where}: ${list} has one scene, which cannot be split; give "split": "all" (strata train: --no-validation, or --validation-scenes)`,
      );
    }

    const scenes: string[] = [];
    const skipped: SkippedScene[] = [];
    const { minOverlap, maxOverlap, maxScaleRatio, pairsPerScene, cropSize, seed, split } = options;
    const hash = createHash("sha256");
    hash.update(JSON.stringify([minOverlap, maxOverlap, `${maxScaleRatio}`, pairsPerScene, cropSize, seed, split]));
    for (const scene of splitScenes(listed, split, seed)) {
      const path = scenePath(sceneFolder, scene);
      if (!(await isThere(path))) {
        skipped.push({ scene, reason: `${path} is missing` });
        continue;
      }
      const { pairs, sha256 } = await loadScene(path, options);
      if (pairs.length > 0) {
        scenes.push(scene);
        hash.update(`${scene} ${sha256}\n`);
      } else {
        skipped.push({ scene, reason: describeCriteria(options) });
      }
    }
    if (scenes.length === 0) {
      const few = skipped.slice(0, 3).map(({ scene, reason }) => `${scene}: ${reason}`);
      throw new FormatError(
        `${where}: none of the ${skipped.length} scenes of ${list} can be used (${few.join("; ")})`,
      );
    }
    return new MegaDepthSource(folder, sceneFolder, options, scenes, skipped, hash.digest("hex"));
  }

  get length(): number {
    return this.scenes.length * this.options.pairsPerScene;
  }

  leftOut(): string[] {
    return this.skipped.map(({ scene, reason }) => `scene ${scene}: ${reason}`);
  }

  /** As `PairSource`; errors for images and depth maps that are missing, damaged, of two sizes, or below the crop's. */
  async pair(epoch: number, index: number): Promise<TrainingPair | { skipped: string }> {
    if (this.disposed) throw new StateError("MegaDepthSource: used after dispose()");
    checkNumber("MegaDepthSource", "epoch", epoch, { min: 0, integer: true });
    checkNumber("MegaDepthSource", "index", index, { min: 0, max: this.length - 1, integer: true });
    const { id, pair } = (await this.drawsOf(epoch))[index];
    if (!pair) return { skipped: `${id}: the images share no point at a scale that fits` };
    const [first, second] = await Promise.all(pair.views.map((view) => this.view(view)));
    const { cropSize: size } = this.options;
    const boxes = [first, second].map(({ image }, i) => cropBox(pair.centers[i], [image.height, image.width], size));
    return {
      id,
      images: [cropImage(first.image, boxes[0], size), cropImage(second.image, boxes[1], size)],
      warp: {
        kind: "depth",
        depths: [cropDepth(first.depth, boxes[0], size), cropDepth(second.depth, boxes[1], size)],
        intrinsics: [pair.views[0].intrinsics, pair.views[1].intrinsics],
        poses: [pair.views[0].pose, pair.views[1].pose],
        boxes: [boxes[0], boxes[1]],
      },
    };
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    this.epochs.clear();
    this.recentScenes.clear();
    this.recentViews.clear();
  }

  /** The draws of an epoch, in its order. */
  private drawsOf(epoch: number): Promise<Draw[]> {
    const known = this.epochs.get(epoch);
    const draws = known ?? this.drawEpoch(epoch);
    if (!known) draws.catch(() => this.epochs.delete(epoch));
    // The last used is the last to go.
    this.epochs.delete(epoch);
    this.epochs.set(epoch, draws);
    for (const oldest of this.epochs.keys()) {
      if (this.epochs.size <= KEPT_EPOCHS) break;
      this.epochs.delete(oldest);
    }
    return draws;
  }

  private async drawEpoch(epoch: number): Promise<Draw[]> {
    const { pairsPerScene, maxScaleRatio, seed } = this.options;
    const draws: Draw[] = [];
    for (const [s, scene] of this.scenes.entries()) {
      const path = scenePath(this.sceneFolder, scene);
      const { info, pairs } = await this.recentScenes.get(scene, () => loadScene(path, this.options));
      const random = randomFor(seed, epoch, s);
      for (let n = 0; n < pairsPerScene; n++) {
        const pair = drawPair(info, pairs, maxScaleRatio, random);
        const names = pair?.views.map(({ imagePath }) => basename(imagePath)).join(" and ");
        draws.push({ id: `scene ${scene}, epoch ${epoch}, draw ${n}${names ? `: ${names}` : ""}`, pair });
      }
    }
    return shuffled(draws, randomFor(seed, epoch, ORDER_DRAW));
  }

  /** An image and its depth map, of one size and large enough for a crop. */
  private view({ imagePath, depthPath }: UsableView): Promise<LoadedView> {
    return this.recentViews.get(imagePath, async () => {
      const paths = [pathBelow(this.folder, imagePath), pathBelow(this.folder, depthPath)];
      // Cameras belong to pixels as they are stored.
      const image = await loadImage(paths[0], { orientation: false });
      const depth = await readDepth(paths[1]);
      const { width, height } = image;
      if (depth.width !== width || depth.height !== height) {
        throw new ShapeError(`${paths[0]} has ${width}×${height} pixels, ${paths[1]} ${depth.width}×${depth.height}`);
      }
      const { cropSize } = this.options;
      if (Math.min(width, height) < cropSize) {
        const advice = `make crops of at most ${Math.min(width, height)} (--crop, "cropSize"), or leave its scene out`;
        throw new ShapeError(
          `${paths[0]} has ${width}×${height} pixels, crops have ${cropSize}×${cropSize}; ${advice}`,
        );
      }
      return { image, depth, bytes: image.data.byteLength + depth.data.byteLength };
    });
  }
}

function checkOptions(where: string, options: MegaDepthOptions): void {
  for (const name of ["data", "sceneInfo", "scenes"] as const) {
    const value = options[name];
    if (value === null && name !== "scenes") continue;
    if (typeof value !== "string" || value === "") throw new OptionError(`${where}: "${name}" must be a path`);
  }
  checkChoice(where, "split", options.split, SPLITS);
  checkCriteria(where, options);
  checkNumber(where, "pairsPerScene", options.pairsPerScene, { min: 1, integer: true });
  checkNumber(where, "cropSize", options.cropSize, { min: 1, max: 2 ** 14, integer: true });
  checkNumber(where, "seed", options.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  checkNumber(where, "cache", options.cache, { min: 0 });
}

/** IoError that lists what is missing of a data set. */
async function checkThere(folder: string, paths: readonly string[]): Promise<void> {
  if (!(await isThere(folder))) throw new IoError(`cannot read ${folder}: there is no such folder`);
  const missing: string[] = [];
  for (const path of paths) if (!(await isThere(path))) missing.push(path);
  if (missing.length === 0) return;
  throw new IoError(
    `${folder} is no prepared MegaDepth data set: ${missing.join(" and ")} missing; scene_info comes from ` +
      "`strata train prepare-megadepth`, lists of scenes are text files with one name a line",
  );
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function scenePath(folder: string, scene: string): string {
  return join(folder, `${scene}.npz`);
}

async function loadScene(path: string, criteria: PairCriteria): Promise<LoadedScene> {
  const content = await readFileChecked(path);
  const info = readSceneInfo(content, {}, path);
  const pairs = usablePairs(info, criteria);
  const arrays = info.views.flatMap(({ pointIds, points, ndepths }) => [pointIds, points, ndepths]);
  const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 3 * info.overlap.byteLength);
  return { info, pairs, bytes, sha256: createHash("sha256").update(content).digest("hex") };
}

function describeCriteria({ minOverlap, maxOverlap, maxScaleRatio }: PairCriteria): string {
  const scale = maxScaleRatio === Infinity ? "" : ` and scales within a factor of ${maxScaleRatio}`;
  return `no two images with depth have an overlap of ${minOverlap} to ${maxOverlap}${scale}`;
}
