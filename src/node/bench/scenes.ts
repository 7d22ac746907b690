/**
 * Scenes whose cameras are known: a folder per scene with images NAME.jpg (or png, ppm, …) and beside each NAME.txt, 21
 * numbers: the intrinsics (3×3, pixel centres on integers), then rotation and translation (3×4), world to camera.
 */
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import type { SceneCamera } from "../../bench/pose.js";
import { FormatError } from "../../errors.js";
import { checkIntrinsics } from "../../geometry/intrinsics.js";
import { checkPath, ioError, readFileChecked } from "../atomic.js";
import { isImageName } from "../image-kinds.js";
import type { SequenceImage } from "./sequences.js";

/** A scene: its images in the order of their names, with their cameras. */
export interface Scene {
  name: string;
  images: (SequenceImage & { camera: SceneCamera })[];
}

/** A camera's file is some hundred bytes long. */
const CAMERA_BYTES = 1 << 16;
/** A rotation's rows are at right angles and of length 1, to this. */
const ORTHONORMAL = 1e-3;

/**
 * The scenes in `folder`, or the one that it is itself. FormatError where there is none, a camera's file is missing or
 * wrong, or a scene has fewer than two images; IoError for what cannot be read.
 */
export async function openScenes(folder: string): Promise<Scene[]> {
  checkPath("openScenes", folder);
  const list = (path: string) =>
    readdir(path, { withFileTypes: true }).catch((cause) => {
      throw ioError("read", path, cause);
    });
  const entries = await list(folder);
  const own = entries.some((entry) => !entry.isDirectory() && isImageName(entry.name));
  const folders = own
    ? [folder]
    : entries.filter((entry) => !entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => join(folder, name));
  const scenes: Scene[] = [];
  for (const path of folders.sort()) {
    const names = (await list(path)).map(({ name }) => name).filter(isImageName);
    if (names.length === 0) continue;
    scenes.push(await readScene(path, names.sort()));
  }
  if (scenes.length === 0) {
    throw new FormatError(
      `${folder} has no scenes: expected folders of images NAME.jpg, each with its camera NAME.txt`,
    );
  }
  return scenes;
}

async function readScene(path: string, names: readonly string[]): Promise<Scene> {
  const name = basename(path);
  if (names.length < 2) throw new FormatError(`${path} has one image; a scene needs at least two`);
  const images: Scene["images"] = [];
  for (const [k, file] of names.entries()) {
    const camera = join(path, `${basename(file, extname(file))}.txt`);
    images.push({
      sequence: name,
      number: k + 1,
      path: join(path, file),
      name: `${name}/${file}`,
      camera: parseCamera(camera, await readFileChecked(camera, { limit: CAMERA_BYTES })),
    });
  }
  return { name, images };
}

/** A camera of 21 numbers; FormatError that names the file. */
export function parseCamera(where: string, bytes: Uint8Array): SceneCamera {
  const words = new TextDecoder().decode(bytes).trim().split(/\s+/);
  const numbers = Float64Array.from(words, Number);
  const wrong = numbers.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new FormatError(`${where}: "${words[wrong].slice(0, 40)}" is not a finite number`);
  if (numbers.length !== 21) {
    throw new FormatError(`${where}: expected 21 numbers (3×3 intrinsics, 3×4 world to camera), got ${numbers.length}`);
  }
  const at = (row: number, column: number) => numbers[9 + 4 * row + column];
  const rotation = Float64Array.from({ length: 9 }, (_, k) => at(Math.floor(k / 3), k % 3));
  for (let p = 0; p < 3; p++) {
    for (let q = 0; q <= p; q++) {
      const product = [0, 1, 2].reduce((sum, k) => sum + rotation[3 * p + k] * rotation[3 * q + k], 0);
      if (!(Math.abs(product - Number(p === q)) <= ORTHONORMAL)) {
        throw new FormatError(`${where}: the first three columns of the 3×4 matrix are no rotation`);
      }
    }
  }
  try {
    const intrinsics = checkIntrinsics(where, "intrinsics", numbers.subarray(0, 9));
    return { intrinsics, rotation, translation: Float64Array.of(at(0, 3), at(1, 3), at(2, 3)) };
  } catch (cause) {
    throw new FormatError((cause as Error).message, { cause });
  }
}
