/**
 * MegaDepth's `scene_info/SCENE.npz` as D2-Net's tools make them: per image its paths, camera, pose and observed points
 * (object arrays: pickled dictionaries and `None`s), per pair of images overlap, scale ratio and angle. Pickles are
 * read as data only; NumPy's own arrays are all that they may name. The writer is `scene-info-write.ts`.
 */
import { FormatError, LimitError } from "../errors.js";
import { countOf, type TypedArray, viewOf } from "./ndarray.js";
import { readNpy, readNpyHeader } from "./npy.js";
import { FlatDict } from "./pickle/flat-dict.js";
import { NumpyArray, readNpyObjects } from "./pickle/numpy.js";
import type { PickleValue } from "./pickle/values.js";
import { readZip, type ZipOptions } from "./zip.js";

/** One image of a scene. Paths are relative to the data set's folder; null where an image has no usable depth. */
export interface SceneView {
  imagePath: string | null;
  depthPath: string | null;
  /** Row-major 3×3. */
  intrinsics: Float64Array | null;
  /** Row-major 4×4, world to camera. */
  pose: Float64Array | null;
  /** Ids of the 3D points that it observes. */
  pointIds: Float64Array;
  /** x0, y0, x1, y1, … of each, in COLMAP's pixels. */
  points: Float64Array;
  /** Depth divided by the mean focal length, of each; empty where the image has none. */
  ndepths: Float64Array;
}

/** Matrices are row-major, views × views; −1 where a pair has no value. */
export interface SceneInfo {
  views: SceneView[];
  /** Shared points / points of the row's image. */
  overlap: Float64Array;
  /** Least max(nd1/nd2, nd2/nd1) over shared points. */
  scaleRatio: Float64Array;
  /** Degrees between principal axes. */
  angles: Float64Array;
}

/** Names of the arrays in the file. */
export const SCENE_ARRAYS = [
  "image_paths",
  "depth_paths",
  "intrinsics",
  "poses",
  "overlap_matrix",
  "scale_ratio_matrix",
  "angles",
  "n_points3D",
  "points3D_id_to_2D",
  "points3D_id_to_ndepth",
] as const;
export type SceneArray = (typeof SCENE_ARRAYS)[number];

/**
 * The scene of such a file. FormatError for damage, for arrays that are missing or do not belong together, and for
 * pickles that name foreign classes (nothing is executed); LimitError above
 * `limit` bytes unpacked (default 2 GiB) and when it would not fit memory.
 */
export function readSceneInfo(
  bytes: Uint8Array,
  options: Partial<ZipOptions> = {},
  where = "readSceneInfo",
): SceneInfo {
  try {
    return read(where, readZip(bytes, options, where));
  } catch (cause) {
    // The runtime's word for collections that outgrow it.
    if (!(cause instanceof RangeError)) throw cause;
    throw new LimitError(`${where}: the scene has more points than can be held in memory`, { cause });
  }
}

function read(where: string, files: Map<string, Uint8Array>): SceneInfo {
  const missing = SCENE_ARRAYS.filter((name) => !files.has(`${name}.npy`));
  if (missing.length > 0) {
    const found = [...files.keys()].map((name) => name.replace(/\.npy$/, "").slice(0, 40));
    throw new FormatError(`${where}: not a scene_info file: ${missing.join(", ")} missing; it has ${found.join(", ")}`);
  }
  const file = (name: SceneArray) => files.get(`${name}.npy`) as Uint8Array;
  const at = (name: SceneArray) => `${where}: ${name}`;
  const column = (name: SceneArray, item: readonly number[]) => readColumn(at(name), file(name), item);

  const imagePaths = column("image_paths", []);
  const count = imagePaths.length;
  const checked = (name: SceneArray, values: PickleValue[]) => {
    if (values.length === count) return values;
    throw new FormatError(`${at(name)} has ${values.length} entries, image_paths has ${count}`);
  };
  const depthPaths = checked("depth_paths", column("depth_paths", []));
  const intrinsics = checked("intrinsics", column("intrinsics", [3, 3]));
  const poses = checked("poses", column("poses", [4, 4]));
  const matrix = (name: SceneArray) => readMatrix(at(name), file(name), count);
  const [overlap, scaleRatio, angles] = [matrix("overlap_matrix"), matrix("scale_ratio_matrix"), matrix("angles")];
  const dictionaries = (name: SceneArray) => checked(name, readDictionaries(at(name), file(name)));
  const observed = dictionaries("points3D_id_to_2D").map((value, i) =>
    pointsOf(`${at("points3D_id_to_2D")} of image ${i}`, value),
  );
  const depths = dictionaries("points3D_id_to_ndepth").map((value, i) =>
    depthsOf(`${at("points3D_id_to_ndepth")} of image ${i}`, value, observed[i].pointIds),
  );
  const views = observed.map(
    (points, i): SceneView => ({
      imagePath: pathOf(`${at("image_paths")}[${i}]`, imagePaths[i]),
      depthPath: pathOf(`${at("depth_paths")}[${i}]`, depthPaths[i]),
      intrinsics: matrixOf(`${at("intrinsics")}[${i}]`, intrinsics[i], 9),
      pose: matrixOf(`${at("poses")}[${i}]`, poses[i], 16),
      ...points,
      ndepths: depths[i],
    }),
  );
  const counts = readNpy(file("n_points3D"), at("n_points3D")).data;
  const wrong = views.findIndex(({ pointIds }, i) => Number(counts[i]) !== pointIds.length);
  if (wrong >= 0 || counts.length !== count) {
    throw new FormatError(`${at("n_points3D")} does not fit points3D_id_to_2D (image ${Math.max(wrong, 0)})`);
  }
  return { views, overlap, scaleRatio, angles };
}

/**
 * One value per image. NumPy makes plain arrays where every image has one, arrays of objects where some are `None`;
 * `item` is the shape of a plain one's values.
 */
function readColumn(where: string, bytes: Uint8Array, item: readonly number[]): PickleValue[] {
  const { descr, shape, offset } = readNpyHeader(bytes, where);
  if (descr.includes("O")) {
    const { shape: sizes, items } = readNpyObjects(bytes, where);
    if (sizes.length === 1) return items;
    throw new FormatError(`${where} must be a flat array, got shape [${sizes}]`);
  }
  if (/^<U[1-9]\d{0,4}$/.test(descr) && shape.length === 1) {
    return textsOf(where, bytes, offset, shape[0], Number(descr.slice(2)));
  }
  const { data, dtype } = readNpy(bytes, where);
  const [count, ...inner] = shape;
  const isOne = `${inner}` === `${item}` && count !== undefined && item.length > 0;
  if (!isOne || dtype !== "float64") throw new FormatError(`${where} has ${dtype} of shape [${shape}]`);
  const size = inner.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, i) => {
    const array = new NumpyArray(where);
    array.shape = inner;
    array.data = data.slice(i * size, (i + 1) * size) as TypedArray;
    return array;
  });
}

/** Texts of a fixed width: UTF-32, filled up with zeros. */
function textsOf(where: string, bytes: Uint8Array, offset: number, count: number, width: number): string[] {
  const needed = 4 * countOf(where, [count, width]);
  if (bytes.length - offset !== needed) {
    throw new FormatError(`${where}: ${count} texts need ${needed} bytes, ${bytes.length - offset} are there`);
  }
  const points = viewOf(bytes, offset, "uint32", count * width);
  return Array.from({ length: count }, (_, i) => {
    let text = "";
    for (let k = i * width; k < (i + 1) * width && points[k] !== 0; k++) {
      if (points[k] > 0x10ffff) throw new FormatError(`${where}: ${points[k]} is no character`);
      text += String.fromCodePoint(Number(points[k]));
    }
    return text;
  });
}

function readMatrix(where: string, bytes: Uint8Array, count: number): Float64Array {
  const { data, shape } = readNpy(bytes, where);
  if (!(data instanceof Float64Array) || `${shape}` !== `${[count, count]}`) {
    throw new FormatError(`${where}: expected doubles of shape [${count},${count}], got shape [${shape}]`);
  }
  return data;
}

function pathOf(where: string, value: PickleValue): string | null {
  if (value === null || (typeof value === "string" && value !== "")) return value;
  throw new FormatError(`${where} is neither a path nor None`);
}

function matrixOf(where: string, value: PickleValue, size: number): Float64Array | null {
  if (value === null) return null;
  const data = value instanceof NumpyArray ? value.data : [];
  if (!(data instanceof Float64Array) || data.length !== size || !data.every(Number.isFinite)) {
    throw new FormatError(`${where} must be an array of ${size} finite doubles, or None`);
  }
  return data;
}

/** One dictionary per image; compact ones where nothing in them is referred to from elsewhere, as Python writes them. */
function readDictionaries(where: string, bytes: Uint8Array): PickleValue[] {
  const read = (flatDicts: boolean) => {
    const { shape, items } = readNpyObjects(bytes, where, { flatDicts });
    if (shape.length === 1) return items;
    throw new FormatError(`${where} must be a flat array, got shape [${shape}]`);
  };
  try {
    return read(true);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return read(false);
  }
}

/** A dictionary id → [x, y]. */
function pointsOf(where: string, value: PickleValue): { pointIds: Float64Array; points: Float64Array } {
  const { keys, values } = flat(where, value, 2);
  let last = -1;
  let rises = true;
  for (const [k, id] of keys.entries()) {
    if (!Number.isSafeInteger(id) || id < 0) throw new FormatError(`${where}: entry ${k} has no point's id`);
    rises = rises && id > last;
    last = id;
  }
  if (!rises && new Set(keys).size < keys.length) throw new FormatError(`${where}: a point occurs twice`);
  return { pointIds: keys, points: values };
}

/** A dictionary id → depth, in the order of `pointIds`; an empty one stands for an image without depth. */
function depthsOf(where: string, value: PickleValue, pointIds: Float64Array): Float64Array {
  const { keys, values } = flat(where, value, 1);
  if (keys.length === 0) return values;
  if (keys.length !== pointIds.length) {
    throw new FormatError(`${where}: ${keys.length} depths, but ${pointIds.length} points`);
  }
  if (keys.every((id, k) => id === pointIds[k])) return values;
  const place = new Map(Array.from(keys, (id, k) => [id, k]));
  return pointIds.map((id) => {
    const k = place.get(id);
    if (k === undefined) throw new FormatError(`${where}: point ${id} has no depth`);
    return values[k];
  });
}

/** The dictionary with typed keys and values, all finite. */
function flat(where: string, value: PickleValue, width: 1 | 2): { keys: Float64Array; values: Float64Array } {
  const found = value instanceof Map ? flatOfMap(where, value, width) : value;
  if (!(found instanceof FlatDict) || found.width !== width) {
    throw new FormatError(`${where} is no dictionary of ${width === 1 ? "numbers" : "positions [x, y]"} by point`);
  }
  const { keys, values } = found;
  if (!values.every(Number.isFinite)) throw new FormatError(`${where} has values that are no finite numbers`);
  return { keys, values };
}

function flatOfMap(where: string, map: Map<PickleValue, PickleValue>, width: 1 | 2): FlatDict {
  const values = new Float64Array(width * map.size);
  let k = 0;
  for (const value of map.values()) {
    const items = value instanceof NumpyArray ? value.data : Array.isArray(value) ? value : [value];
    const fits = items.length === width && Array.from(items as unknown[]).every((item) => typeof item === "number");
    if (!fits) throw new FormatError(`${where}: entry ${k} has not ${width} numbers`);
    for (let i = 0; i < width; i++) values[width * k + i] = items[i] as number;
    k++;
  }
  const keys = Float64Array.from(map.keys(), (key) => (typeof key === "number" ? key : NaN));
  return new FlatDict(keys, values, width);
}
