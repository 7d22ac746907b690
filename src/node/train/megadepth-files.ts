/** Files of a data set in MegaDepth's layout: lists of scenes, paths below its folder, depth maps. */
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { FormatError, OptionError } from "../../errors.js";
import { openHdf5 } from "../../formats/hdf5.js";
import { toFloat32 } from "../../formats/ndarray.js";
import { DEFAULT_PIXEL_LIMIT } from "../../image/image.js";
import type { DepthMap } from "../../train/data/megadepth-crop.js";
import { ioError, readFileChecked } from "../atomic.js";

/** Names of the scenes in a list, one a line; empty lines and lines that begin with # are skipped. */
export async function readSceneList(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw ioError("read", path, cause);
  });
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const scenes = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  if (scenes.length === 0) throw new FormatError(`${path} names no scenes`);
  const twice = scenes.find((scene, i) => scenes.indexOf(scene) !== i);
  if (twice !== undefined) throw new FormatError(`${path} names the scene ${twice} twice`);
  return scenes.map((scene) => checkSceneName(scene));
}

/** `scene` when it is a name of one folder; OptionError otherwise. */
export function checkSceneName(scene: string): string {
  if (/^[^/\\\0]+$/.test(scene) && scene !== "." && scene !== "..") return scene;
  throw new OptionError(`"${scene}" is no scene's name: it must be the name of a folder`);
}

/** A path that a file of the data set names, below its folder; FormatError where it leads out of it. */
export function pathBelow(folder: string, path: string): string {
  const leadsOut = isAbsolute(path) || path.split(/[/\\]/).includes("..") || path.includes("\0");
  if (leadsOut) throw new FormatError(`the path "${path}" leads out of the data set's folder`);
  return join(folder, path);
}

/** The depth map in an HDF5 file's `/depth`. Errors name the file. */
export async function readDepth(path: string): Promise<DepthMap> {
  const bytes = await readFileChecked(path);
  const array = await openHdf5(path, bytes, 8 * DEFAULT_PIXEL_LIMIT, (file) => {
    if (!file.hasDataset("depth")) throw new FormatError(`${path}: there is no dataset "depth"`);
    return file.read("depth");
  });
  const [height, width] = array.shape;
  if (array.shape.length !== 2 || array.data.length === 0) {
    throw new FormatError(`${path}: "depth" must have rows and columns, got shape [${array.shape}]`);
  }
  return { width, height, data: toFloat32(array) };
}
