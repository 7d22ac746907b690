/** Between COLMAP's database and what extraction and matching give: features by image name, matches by pair. */

import { checkIterable, checkMap } from "../check.js";
import { FormatError, OptionError, ShapeError } from "../errors.js";
import { checkFeatures, checkHomography, type Features, type Homography } from "../features.js";
import { checkChoice, withDefaults } from "../options.js";
import { checkedPairs, colmapFeatures, type ImagePair, isPackedColmap, packColmapDescriptors } from "./colmap.js";
import { type CameraChoice, type ColmapDatabaseCamera, makeCamera } from "./colmap-cameras.js";
import { checkParts } from "./colmap-database-check.js";
import {
  COLMAP_VERSIONS,
  type ColmapDatabase,
  type ColmapDatabaseImage,
  type ColmapDatabasePair,
  type ColmapVersion,
  SIFT_BYTES,
  SIFT_TYPE,
  UNDEFINED_TYPE,
} from "./colmap-database-parts.js";
import type { TwoView } from "./colmap-two-view.js";
import { type Descriptors, NO_DESCRIPTORS, toDescriptors } from "./descriptors.js";
import type { HlocPair } from "./hloc.js";
import { bytesOf, viewOf } from "./ndarray.js";

/** What makes a pair a verified one: nothing (COLMAP verifies), a homography, or every match as it is. */
export const VERIFICATIONS = ["none", "homography", "all"] as const;
export type Verification = (typeof VERIFICATIONS)[number];

/** Which images share a camera; the words are pycolmap's. */
export const CAMERA_MODES = ["per-image", "per-folder", "single"] as const;

/** A pair's matches and what verified them: a homography with its inliers, or nothing (null) but trust. */
export interface VerifiedPair extends ImagePair {
  /** Absent: not verified. */
  verified?: Homography | null;
}

/** Cameras and matches of a database. */
export interface ToColmapDatabaseOptions extends Required<CameraChoice> {
  /** Default "per-image", as COLMAP's own `feature_extractor`. */
  cameraMode: (typeof CAMERA_MODES)[number];
  /** Whether descriptors are packed into COLMAP's bytes, where they fit; default true. */
  descriptors: boolean;
  /** "4": descriptors of floats go in as they are, but for SIFT's; as for `writeColmapDatabase`. Default "3.8". */
  colmap: ColmapVersion;
}

/**
 * A COLMAP database of features and matches: images numbered from 1 by name, cameras as given or guessed. A pair that
 * a homography verified becomes "planar-or-panoramic" with the homography and its inliers (as COLMAP calls it while it
 * does not know the focal length); one that is trusted (`verified: null`) "calibrated" with all matches and no matrix, as
 * hloc writes it. Descriptors that COLMAP's bytes cannot hold are left out. OptionError for a pair of unknown images
 * and for images of different sizes that should share a camera.
 */
export function toColmapDatabase(
  features: ReadonlyMap<string, Features>,
  pairs: Iterable<VerifiedPair>,
  options: Partial<ToColmapDatabaseOptions> = {},
): ColmapDatabase {
  const where = "toColmapDatabase";
  const settings = withDefaults<ToColmapDatabaseOptions>(
    where,
    { model: "SIMPLE_RADIAL", params: null, cameraMode: "per-image", descriptors: true, colmap: "3.8" },
    options,
  );
  checkChoice(where, "cameraMode", settings.cameraMode, CAMERA_MODES);
  checkChoice(where, "colmap", settings.colmap, COLMAP_VERSIONS);
  checkMap(where, "features", features);
  checkIterable(where, "pairs", pairs);
  // By code units, as std::sort does with COLMAP's lists of images.
  const names = [...features.keys()].sort((a, b) => (a < b ? -1 : 1));
  const cameras = new Map<string, ColmapDatabaseCamera>();
  const ids = new Map<string, number>();
  const images = names.map((name, k) => {
    const found = checkFeatures(`${where}: "${name}"`, features.get(name) as Features);
    const id = k + 1;
    ids.set(name, id);
    return {
      id,
      name,
      cameraId: cameraOf(where, cameras, name, found.imageSize, settings),
      keypoints: found.keypoints,
      shapes: null,
      ...(settings.descriptors ? packed(found, settings.colmap) : { descriptors: null }),
    };
  });
  const idOf = (name: string): number => {
    const id = ids.get(name);
    if (id === undefined) throw new OptionError(`${where}: a pair names the image "${name}", which has no features`);
    return id;
  };
  const listed = Array.from(checkedPairs(where, pairs), (pair): ColmapDatabasePair => {
    const { name0, name1, matches, verified } = pair;
    if (verified) checkHomography(`${where}: "${name0}" and "${name1}"`, verified);
    return { id0: idOf(name0), id1: idOf(name1), matches: matches.pairs, geometry: geometryOf(where, pair) };
  });
  return { cameras: [...cameras.values()], images, pairs: listed };
}

/** Descriptors as a database of that COLMAP holds them: floats as they are, SIFT's (none of 128 is negative) as bytes. */
function packed(
  features: Features,
  colmap: ColmapVersion,
): Pick<ColmapDatabaseImage, "descriptors" | "descriptorType"> {
  const { kind, dim, descriptors } = features;
  if (dim === 0) return { descriptors: null };
  const bytes = packColmapDescriptors(features);
  const isSift = bytes !== null && dim === SIFT_BYTES;
  if (colmap !== "4" || kind === "binary" || isSift) return { descriptors: bytes };
  return { descriptors: bytesOf(descriptors), descriptorType: UNDEFINED_TYPE };
}

function cameraOf(
  where: string,
  cameras: Map<string, ColmapDatabaseCamera>,
  name: string,
  size: [number, number],
  { cameraMode, model, params }: ToColmapDatabaseOptions,
): number {
  const folder = name.slice(0, name.lastIndexOf("/") + 1);
  const key = { "per-image": name, "per-folder": folder, single: "" }[cameraMode];
  let camera = cameras.get(key);
  if (!camera) {
    camera = makeCamera(cameras.size + 1, size, { model, params });
    cameras.set(key, camera);
  } else if (camera.width !== size[0] || camera.height !== size[1]) {
    throw new OptionError(
      `${where}: "${name}" has ${size[0]}×${size[1]} pixels, others that should share its camera ${camera.width}×${camera.height}`,
    );
  }
  return camera.id;
}

function geometryOf(where: string, { name0, name1, matches, verified }: VerifiedPair): TwoView | null {
  if (verified === undefined) return null;
  const none = { fundamental: null, essential: null, homography: null, pose: null };
  if (verified === null) return { ...none, kind: "calibrated", inliers: matches.pairs };
  const { matrix, inliers } = verified;
  // COLMAP's own mark of a pair that did not hold: no inliers, nothing else.
  if (!matrix) return { ...none, kind: "undefined", inliers: new Uint32Array(0) };
  const indices = new Uint32Array(2 * inliers.length);
  for (const [k, m] of inliers.entries()) {
    if (m >= matches.count) {
      throw new ShapeError(`${where}: "${name0}", "${name1}": inlier ${m} of ${matches.count} matches`);
    }
    indices.set(matches.pairs.subarray(2 * m, 2 * m + 2), 2 * k);
  }
  return { ...none, kind: "planar-or-panoramic", inliers: indices, homography: matrix };
}

/**
 * The features of every image in a database, by name. Scores are 1; descriptors as `unpackColmapDescriptors` says, those
 * of other types than SIFT as floats, and none (`dim` 0) where there are none. An image that the database says nothing
 * of has no keypoints. FormatError where not one image has any, or for floats that are no numbers.
 */
export function databaseFeatures(database: ColmapDatabase): Map<string, Features> {
  const { cameras, images } = checkParts("databaseFeatures", database);
  if (images.length > 0 && images.every(({ keypoints }) => !keypoints)) {
    throw new FormatError("databaseFeatures: no image of the database has keypoints; extract features first");
  }
  const sizes = new Map(cameras.map(({ id, width, height }): [number, [number, number]] => [id, [width, height]]));
  const found = new Map<string, Features>();
  // Of the whole database, for a few descriptors of SIFT may look like packed ones.
  const packed = images.every((image) => !isSift(image) || isPackedColmap(image.descriptors));
  for (const image of images) {
    const { name, cameraId, keypoints: positions } = image;
    const imageSize = sizes.get(cameraId);
    if (!imageSize) throw new OptionError(`databaseFeatures: "${name}" has no camera ${cameraId}`);
    const keypoints = positions ?? new Float32Array(0);
    const count = keypoints.length / 2;
    const features: Features = isSift(image)
      ? colmapFeatures({ keypoints, descriptors: image.descriptors }, imageSize, packed)
      : { count, imageSize, keypoints, scores: new Float32Array(count).fill(1), ...floatsOf(image, count) };
    found.set(name, checkFeatures(`databaseFeatures: "${name}"`, features));
  }
  return found;
}

function isSift(image: ColmapDatabaseImage): image is ColmapDatabaseImage & { descriptors: Uint8Array } {
  return image.descriptors !== null && (image.descriptorType ?? SIFT_TYPE) === SIFT_TYPE;
}

/** Descriptors whose bytes are those of float32. */
function floatsOf({ name, descriptors }: ColmapDatabaseImage, count: number): Descriptors {
  if (!descriptors || count === 0) return NO_DESCRIPTORS;
  const data = viewOf(descriptors, 0, "float32", descriptors.length / 4);
  return toDescriptors(`databaseFeatures: "${name}"`, { dtype: "float32", shape: [count, data.length / count], data });
}

/** Which matches of a database are wanted. */
export interface DatabaseMatchesOptions {
  /** The inliers of verified pairs instead of all matches; default false. */
  verified: boolean;
}

/** The matches in a database, pair by pair; scores are 1, for COLMAP has none. */
export function databaseMatches(database: ColmapDatabase, options: Partial<DatabaseMatchesOptions> = {}): HlocPair[] {
  const { images, pairs } = checkParts("databaseMatches", database);
  const { verified } = withDefaults<DatabaseMatchesOptions>("databaseMatches", { verified: false }, options);
  const byId = new Map(images.map((image) => [image.id, image]));
  const found: HlocPair[] = [];
  for (const { id0, id1, matches, geometry } of pairs) {
    const indices = verified ? geometry?.inliers : matches;
    const [image0, image1] = [byId.get(id0), byId.get(id1)];
    if (!indices || !image0 || !image1) continue;
    const count = indices.length / 2;
    found.push({
      name0: image0.name,
      name1: image1.name,
      count0: (image0.keypoints?.length ?? 0) / 2,
      matches: { count, pairs: indices, scores: new Float32Array(count).fill(1) },
    });
  }
  return found;
}
