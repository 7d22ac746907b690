/** Small data sets in MegaDepth's layout, drawn by code: a wall at a known depth, seen by cameras side by side. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ColmapModelFiles } from "../../../src/formats/colmap-model.js";
import { createHdf5 } from "../../../src/formats/hdf5.js";
import { ndarray } from "../../../src/formats/ndarray.js";
import { saveImage } from "../../../src/node/images.js";
import { binaryModel, type RawModel, textModel } from "./models.js";

export const WIDTH = 48;
export const HEIGHT = 40;
const FOCAL = 40;
/** The wall's distance, and the cameras' distance from each other. */
export const DEPTH = 4;
export const STEP = 0.2;

/** Cameras at x = 0, STEP, 2·STEP, … look at a wall of `points` points, which all of them see. */
export function wallModel(images: number, points = 12): RawModel {
  const positions = Array.from({ length: points }, (_, k) => [(k % 4) / 4, Math.floor(k / 4) / 4 - 0.25, DEPTH]);
  return {
    cameras: [{ id: 1, model: 1, width: WIDTH, height: HEIGHT, params: [FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2] }],
    images: Array.from({ length: images }, (_, i) => ({
      id: i + 1,
      rotation: [1, 0, 0, 0],
      translation: [-STEP * i, 0, 0],
      cameraId: 1,
      name: `${i}.png`,
      points: positions.map(([x, y, z], k) => [
        (FOCAL * (x - STEP * i)) / z + WIDTH / 2,
        (FOCAL * y) / z + HEIGHT / 2,
        k + 1,
      ]),
    })),
    points: positions.map((position, k) => ({ id: k + 1, position, track: [] })),
  };
}

/** The value of a pixel tells its place and image. */
export function pixelAt(image: number, row: number, column: number): [number, number, number] {
  return [row, column, image];
}

/** Writes a scene's model, images and depth maps below `base`; `binary` in COLMAP's other form. */
export async function writeScene(
  base: string,
  scene: string,
  model: RawModel,
  { binary = false, depthSize = [WIDTH, HEIGHT] } = {},
): Promise<void> {
  const folder = join(base, "Undistorted_SfM", scene);
  const depths = join(base, "phoenix/S6/zl548/MegaDepth_v1", scene, "dense0", "depths");
  const sparse = join(folder, binary ? "sparse" : "sparse-txt");
  for (const path of [sparse, join(folder, "images"), depths]) await mkdir(path, { recursive: true });
  const files = binary ? binaryModel(model) : textModel(model);
  for (const [name, bytes] of Object.entries(files) as [keyof ColmapModelFiles, Uint8Array][]) {
    await writeFile(join(sparse, `${name}.${binary ? "bin" : "txt"}`), bytes);
  }
  const [width, height] = [WIDTH, HEIGHT];
  const depth = new Float32Array(depthSize[0] * depthSize[1]).fill(DEPTH);
  depth[0] = -1; // The sky.
  const h5 = await createHdf5("test", null, (file) =>
    file.write("depth", ndarray(depth, [depthSize[1], depthSize[0]])),
  );
  for (const [i, { name }] of model.images.entries()) {
    const data = new Uint8Array(3 * width * height);
    for (let at = 0; at < width * height; at++) {
      data.set(pixelAt(i, Math.floor(at / width), at % width), 3 * at);
    }
    await saveImage(join(folder, "images", name), { width, height, data });
    await writeFile(join(depths, name.replace(".png", ".h5")), h5);
  }
}
