/**
 * What D2-Net's tools make of an undistorted COLMAP model and its depth maps: a scene's `scene_info`. An image without
 * depth (none there, or a file so small that it is a mask of the foreground) keeps its place, but has no camera.
 *
 * Pairs of images are counted by the points' tracks, not by comparing every two images: the work is the sum of the
 * squared lengths of tracks, and nothing is allocated but three matrices.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import type { ColmapCamera, ColmapImage, ColmapModel } from "../../formats/colmap-parts.js";
import type { SceneInfo, SceneView } from "../../formats/scene-info.js";
import { checkNumber, withDefaults } from "../../options.js";

/** What lies in the scene's folders. */
export interface SceneFiles {
  /** Folders of images and of depth maps, relative to the data set's. */
  imageFolder: string;
  depthFolder: string;
  /** Bytes of the depth map of each image that has one, by the image's name. */
  depthBytes: ReadonlyMap<string, number>;
}

export interface SceneOptions {
  /** Smaller depth files are masks and count as missing; default 102400 (100 kB), as in D2-Net. */
  minDepthBytes: number;
}

/** Where an image's depth map lies below the folder of depth maps. */
export function depthName(imageName: string): string {
  return `${imageName.replace(/\.[^./]*$/, "")}.h5`;
}

/**
 * The scene_info of a model. As in the reference's files a last entry stands for no image at all (`None`, no points):
 * it is what keeps NumPy from making plain arrays of them.
 *
 * UnsupportedError for cameras with distortion, FormatError for observations of points that the model does not have.
 */
export function buildSceneInfo(model: ColmapModel, files: SceneFiles, options: Partial<SceneOptions> = {}): SceneInfo {
  const where = "buildSceneInfo";
  const { minDepthBytes } = withDefaults<SceneOptions>(where, { minDepthBytes: 100 * 1024 }, options);
  checkNumber(where, "minDepthBytes", minDepthBytes, { min: 0 });

  const rank = new Map<number, number>();
  for (const [k, id] of model.pointIds.entries()) {
    if (rank.has(id)) throw new FormatError(`${where}: two points have the id ${id}`);
    rank.set(id, k);
  }
  const observed = model.images.map((image) => observations(where, image, rank));
  const views = model.images.map((image, i): SceneView => {
    const { pointIds, points, ranks } = observed[i];
    if ((files.depthBytes.get(image.name) ?? -1) < minDepthBytes) return { ...BLANK, pointIds, points };
    const pose = poseOf(image);
    const intrinsics = intrinsicsOf(where, model.cameras.get(image.cameraId) as ColmapCamera);
    const focal = 0.5 * (intrinsics[0] + intrinsics[4]);
    return {
      imagePath: `${files.imageFolder}/${image.name}`,
      depthPath: `${files.depthFolder}/${depthName(image.name)}`,
      intrinsics,
      pose,
      pointIds,
      points,
      ndepths: Float64Array.from(ranks, (k) => depthOf(pose, model.positions, k) / focal),
    };
  });
  const { overlap, scaleRatio } = comparePairs(views, observed, rank.size);
  views.push({ ...BLANK });
  return { views, overlap, scaleRatio, angles: anglesOf(views) };
}

const BLANK: SceneView = {
  imagePath: null,
  depthPath: null,
  intrinsics: null,
  pose: null,
  pointIds: new Float64Array(0),
  points: new Float64Array(0),
  ndepths: new Float64Array(0),
};

interface Observed {
  pointIds: Float64Array;
  points: Float64Array;
  /** Places of the points in the model. */
  ranks: Uint32Array;
}

/** What an image observes, each point once: where it is seen twice, the last place counts, as in a dictionary. */
function observations(where: string, image: ColmapImage, rank: ReadonlyMap<number, number>): Observed {
  const last = new Map<number, number>();
  for (const [k, id] of image.pointIds.entries()) {
    if (id === -1) continue;
    if (!rank.has(id)) throw new FormatError(`${where}: "${image.name}" observes point ${id}, which the model lacks`);
    last.set(id, k);
  }
  const pointIds = Float64Array.from(last.keys());
  const points = new Float64Array(2 * pointIds.length);
  let n = 0;
  for (const k of last.values()) {
    points[n++] = image.points[2 * k];
    points[n++] = image.points[2 * k + 1];
  }
  return { pointIds, points, ranks: Uint32Array.from(pointIds, (id) => rank.get(id) as number) };
}

function intrinsicsOf(where: string, { id, model, params }: ColmapCamera): Float64Array {
  const isSimple = model === "SIMPLE_PINHOLE";
  if (!isSimple && model !== "PINHOLE") {
    throw new UnsupportedError(
      `${where}: camera ${id} is of model ${model}, which has distortion; undistort the images first ` +
        "(colmap image_undistorter) and give its sparse model",
    );
  }
  const [fx, fy, cx, cy] = isSimple ? [params[0], params[0], params[1], params[2]] : params;
  if (!(fx > 0 && fy > 0)) throw new FormatError(`${where}: camera ${id} has the focal lengths ${fx}, ${fy}`);
  return Float64Array.of(fx, 0, cx, 0, fy, cy, 0, 0, 1);
}

/** World to camera, row-major 4×4, of a unit quaternion and a translation. */
function poseOf({ rotation: [w, x, y, z], translation: [tx, ty, tz] }: ColmapImage): Float64Array {
  return Float64Array.of(
    ...[1 - 2 * y * y - 2 * z * z, 2 * x * y - 2 * z * w, 2 * x * z + 2 * y * w, tx],
    ...[2 * x * y + 2 * z * w, 1 - 2 * x * x - 2 * z * z, 2 * y * z - 2 * x * w, ty],
    ...[2 * x * z - 2 * y * w, 2 * y * z + 2 * x * w, 1 - 2 * x * x - 2 * y * y, tz],
    ...[0, 0, 0, 1],
  );
}

/** Depth of point k in front of the camera. */
function depthOf(pose: Float64Array, positions: Float64Array, k: number): number {
  return pose[8] * positions[3 * k] + pose[9] * positions[3 * k + 1] + pose[10] * positions[3 * k + 2] + pose[11];
}

/** Overlap and least scale ratio of every two images with depth; one entry more than there are views. */
function comparePairs(
  views: readonly SceneView[],
  observed: readonly Observed[],
  pointCount: number,
): Pick<SceneInfo, "overlap" | "scaleRatio"> {
  const size = views.length + 1;
  const shared = new Uint32Array(size * size);
  const ratio = new Float64Array(size * size).fill(Infinity);
  const { starts, images, depths } = tracksOf(views, observed, pointCount);
  for (let point = 0; point < pointCount; point++) {
    for (let a = starts[point]; a < starts[point + 1]; a++) {
      for (let b = a + 1; b < starts[point + 1]; b++) {
        // Images of a track rise, so this is above the diagonal.
        const at = images[a] * size + images[b];
        shared[at]++;
        const quotient = depths[a] / depths[b];
        const scale = quotient >= 1 ? quotient : 1 / quotient;
        // A point behind a camera is a mistake of the model and says nothing.
        if (depths[a] > 0 && depths[b] > 0 && scale < ratio[at]) ratio[at] = scale;
      }
    }
  }
  const overlap = new Float64Array(size * size).fill(-1);
  const scaleRatio = new Float64Array(size * size).fill(-1);
  for (let i = 0; i < views.length; i++) {
    for (let j = i + 1; j < views.length; j++) {
      const [counts0, counts1] = [views[i].ndepths.length, views[j].ndepths.length];
      if (counts0 === 0 || counts1 === 0) continue;
      const [at, mirrored] = [i * size + j, j * size + i];
      overlap[at] = shared[at] / counts0;
      overlap[mirrored] = shared[at] / counts1;
      if (ratio[at] < Infinity) scaleRatio[at] = scaleRatio[mirrored] = ratio[at];
    }
  }
  return { overlap, scaleRatio };
}

/** For each point the images with depth that observe it, and how deep it lies in each: from starts[k] to starts[k + 1]. */
function tracksOf(views: readonly SceneView[], observed: readonly Observed[], pointCount: number) {
  const starts = new Uint32Array(pointCount + 1);
  for (const [i, { ndepths }] of views.entries()) {
    if (ndepths.length > 0) for (const k of observed[i].ranks) starts[k + 1]++;
  }
  for (let k = 0; k < pointCount; k++) starts[k + 1] += starts[k];
  const next = starts.slice();
  const images = new Uint32Array(starts[pointCount]);
  const depths = new Float64Array(starts[pointCount]);
  for (const [i, { ndepths }] of views.entries()) {
    for (let n = 0; n < ndepths.length; n++) {
      const at = next[observed[i].ranks[n]]++;
      images[at] = i;
      depths[at] = ndepths[n];
    }
  }
  return { starts, images, depths };
}

/** Degrees between principal axes; that of a view without a pose is zero, which makes 90°. */
function anglesOf(views: readonly SceneView[]): Float64Array {
  const size = views.length;
  const axes = new Float64Array(3 * size);
  for (const [i, { pose }] of views.entries()) if (pose) axes.set(pose.subarray(8, 11), 3 * i);
  const angles = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const dot = axes[3 * i] * axes[3 * j] + axes[3 * i + 1] * axes[3 * j + 1] + axes[3 * i + 2] * axes[3 * j + 2];
      angles[i * size + j] = Math.acos(Math.min(1, Math.max(-1, dot))) * (180 / Math.PI);
    }
  }
  return angles;
}
