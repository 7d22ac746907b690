/**
 * Writes `scene_info/SCENE.npz`: `np.load(…, allow_pickle=True)` and D2-Net's data set read it. Dictionaries are written
 * byte by byte into memory of their exact size, for a large scene has millions of points.
 */
import { ShapeError } from "../errors.js";
import { ndarray } from "./ndarray.js";
import { writeNpy } from "./npy.js";
import { OP } from "./pickle/opcodes.js";
import { npyOfObjects, PICKLE_NONE, type Pickled, pickleFloat64Array, pickleText } from "./pickle/write.js";
import type { SceneArray, SceneInfo, SceneView } from "./scene-info.js";
import { writeZip } from "./zip.js";

/** The bytes of such a file; the same scene gives the same bytes. ShapeError when arrays do not belong together. */
export function writeSceneInfo(info: SceneInfo): Uint8Array {
  const { views, overlap, scaleRatio, angles } = checkScene("writeSceneInfo", info);
  const count = views.length;
  const objects = (make: (view: SceneView) => ArrayLike<number>) => npyOfObjects(views.map(make));
  const matrix = (values: Float64Array) => writeNpy(ndarray(values, [count, count]));
  const counts = BigInt64Array.from(views, ({ pointIds }) => BigInt(pointIds.length));
  const arrays: Record<SceneArray, Uint8Array> = {
    image_paths: objects(({ imagePath }) => optional(imagePath, pickleText)),
    depth_paths: objects(({ depthPath }) => optional(depthPath, pickleText)),
    intrinsics: objects(({ intrinsics }) => optional(intrinsics, (values) => pickleFloat64Array(values, [3, 3]))),
    poses: objects(({ pose }) => optional(pose, (values) => pickleFloat64Array(values, [4, 4]))),
    overlap_matrix: matrix(overlap),
    scale_ratio_matrix: matrix(scaleRatio),
    angles: matrix(angles),
    n_points3D: writeNpy(ndarray(counts)),
    points3D_id_to_2D: objects(({ pointIds, points }) => dictionary(pointIds, points, 2)),
    points3D_id_to_ndepth: objects(({ pointIds, ndepths }) =>
      dictionary(ndepths.length > 0 ? pointIds : ndepths, ndepths, 1),
    ),
  };
  return writeZip(Object.entries(arrays).map(([name, bytes]) => [`${name}.npy`, bytes]));
}

function checkScene(where: string, info: SceneInfo): SceneInfo {
  const { views } = info;
  for (const name of ["overlap", "scaleRatio", "angles"] as const) {
    if (info[name].length === views.length ** 2) continue;
    throw new ShapeError(`${where}: ${name} of ${views.length} views has ${info[name].length} values`);
  }
  for (const [i, { intrinsics, pose, pointIds, points, ndepths }] of views.entries()) {
    const count = pointIds.length;
    const fits = points.length === 2 * count && (ndepths.length === count || ndepths.length === 0);
    if (fits && (intrinsics?.length ?? 9) === 9 && (pose?.length ?? 16) === 16) continue;
    throw new ShapeError(`${where}: the arrays of view ${i} do not belong together`);
  }
  return info;
}

function optional<T>(value: T | null, write: (value: T) => Pickled): Pickled {
  return value === null ? PICKLE_NONE : write(value);
}

/** {id: value} for `size` 1, {id: [x, y]} for 2; an id of 32 bits takes 5 bytes, a larger one 10. */
function dictionary(ids: Float64Array, values: Float64Array, size: 1 | 2): Uint8Array {
  const large = ids.reduce((sum, id) => sum + (id > 0x7fffffff ? 1 : 0), 0);
  const list = size === 2 ? 3 : 0;
  const bytes = new Uint8Array(3 + ids.length * (5 + list + 9 * size) + 5 * large);
  const view = new DataView(bytes.buffer);
  let at = 0;
  bytes[at++] = OP.EMPTY_DICT;
  bytes[at++] = OP.MARK;
  for (let k = 0; k < ids.length; k++) {
    const id = ids[k];
    if (id > 0x7fffffff) {
      bytes[at++] = OP.LONG1;
      bytes[at++] = 8;
      view.setBigInt64(at, BigInt(id), true);
      at += 8;
    } else {
      bytes[at++] = OP.BININT;
      view.setInt32(at, id, true);
      at += 4;
    }
    if (size === 2) {
      bytes[at++] = OP.EMPTY_LIST;
      bytes[at++] = OP.MARK;
    }
    for (let i = 0; i < size; i++) {
      bytes[at++] = OP.BINFLOAT;
      view.setFloat64(at, values[size * k + i], false);
      at += 8;
    }
    if (size === 2) bytes[at++] = OP.APPENDS;
  }
  bytes[at] = OP.SETITEMS;
  return bytes;
}
