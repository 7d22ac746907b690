/** One scene's `scene_info` out of its COLMAP model and depth maps, as files. */
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { FormatError, IoError, OptionError } from "../../errors.js";
import { type ColmapModel, readColmapModel } from "../../formats/colmap-model.js";
import { writeSceneInfo } from "../../formats/scene-info-write.js";
import { withDefaults } from "../../options.js";
import { PAIR_CRITERIA, usablePairs } from "../../train/data/megadepth-pairs.js";
import { buildSceneInfo, depthName } from "../../train/data/megadepth-scene.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { checkSceneName, pathBelow } from "./megadepth-files.js";

export interface PrepareOptions {
  /** The data set's folder; paths in scene_info are relative to it. */
  base: string;
  /** Folder of undistorted models, in it SCENE/images and SCENE/sparse-txt or SCENE/sparse. */
  undistorted: string;
  /** Folder of depth maps, in it SCENE/dense0/depths. */
  depths: string;
  /** Smaller depth files are masks, not depth maps; default 102400 bytes. */
  minDepthBytes: number;
}

export const PREPARE_DEFAULTS: PrepareOptions = {
  base: "",
  undistorted: "Undistorted_SfM",
  depths: "phoenix/S6/zl548/MegaDepth_v1",
  minDepthBytes: 100 * 1024,
};

/** What was found in a scene. */
export interface SceneSummary {
  scene: string;
  images: number;
  /** Images that can be trained on. */
  withDepth: number;
  points: number;
  /** Ordered pairs that training with its default options may draw. */
  pairs: number;
}

/** Where a model lies below its scene's folder, the first that is there. */
const MODEL_FOLDERS = ["sparse-txt", "sparse", join("sparse", "0"), "."];

/** Where a scene's file lies. */
export function sceneInfoPath(out: string, scene: string): string {
  return join(out, "scene_info", `${scene}.npz`);
}

/** Checked options, with folders absolute. */
export function prepareOptions(given: Partial<PrepareOptions>): PrepareOptions {
  const options = withDefaults<PrepareOptions>("prepare-megadepth", PREPARE_DEFAULTS, given);
  const base = resolve(options.base);
  const below = (name: "undistorted" | "depths") => {
    const path = resolve(base, options[name]);
    const name0 = relative(base, path);
    if (isAbsolute(name0) || name0.split(sep)[0] === "..") {
      throw new OptionError(`--${name} ${path} must lie in --base ${base}, for scene_info holds paths below it`);
    }
    return path;
  };
  return { ...options, base, undistorted: below("undistorted"), depths: below("depths") };
}

/**
 * Makes OUT/scene_info/SCENE.npz. Errors name the file: no model, a damaged one, cameras with distortion, no image
 * with depth.
 */
export async function prepareScene(scene: string, out: string, given: Partial<PrepareOptions>): Promise<SceneSummary> {
  const { base, undistorted, depths, minDepthBytes } = prepareOptions(given);
  const folder = join(undistorted, checkSceneName(scene));
  const depthFolder = join(depths, scene, "dense0", "depths");
  const imageFolder = join(folder, "images");
  const model = await readModel(folder);
  const depthBytes = new Map<string, number>();
  for (const { name } of model.images) {
    const size = await sizeOf(pathBelow(depthFolder, depthName(name)));
    // Depth without its image is of no use.
    if (size !== undefined && (await sizeOf(pathBelow(imageFolder, name))) !== undefined) depthBytes.set(name, size);
  }
  const named = (path: string) => relative(base, path).split(sep).join("/");
  const files = { imageFolder: named(imageFolder), depthFolder: named(depthFolder), depthBytes };
  const info = buildSceneInfo(model, files, { minDepthBytes });
  const withDepth = info.views.filter(({ depthPath }) => depthPath !== null).length;
  if (withDepth === 0) {
    const example = model.images[0] ? `, such as ${join(depthFolder, depthName(model.images[0].name))}` : "";
    throw new IoError(
      `scene ${scene}: none of its ${model.images.length} images has a depth map of at least ${minDepthBytes} bytes in ` +
        `${depthFolder}${example}`,
    );
  }
  const path = sceneInfoPath(out, scene);
  await makeFolder(join(out, "scene_info"));
  await writeFileAtomic(path, writeSceneInfo(info));
  return {
    scene,
    images: model.images.length,
    withDepth,
    points: model.pointIds.length,
    pairs: usablePairs(info, PAIR_CRITERIA).length,
  };
}

async function readModel(folder: string): Promise<ColmapModel> {
  if ((await sizeOf(folder)) === undefined) throw new IoError(`cannot read ${folder}: there is no such folder`);
  for (const below of MODEL_FOLDERS) {
    for (const format of ["text", "binary"] as const) {
      const at = join(folder, below);
      const file = (name: string) => join(at, `${name}${format === "text" ? ".txt" : ".bin"}`);
      if ((await sizeOf(file("cameras"))) === undefined) continue;
      const [cameras, images, points3D] = await Promise.all(
        ["cameras", "images", "points3D"].map((name) => readFileChecked(file(name))),
      );
      const model = readColmapModel({ cameras, images, points3D }, format, at);
      if (model.images.length === 0) throw new FormatError(`${file("images")} has no images`);
      return model;
    }
  }
  const places = MODEL_FOLDERS.map((below) => join(folder, below)).join(", ");
  throw new IoError(`there is no COLMAP model for ${folder}: cameras.txt or cameras.bin was looked for in ${places}`);
}

/** Bytes of a file (or folder); undefined where there is none. */
async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
