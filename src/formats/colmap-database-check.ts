/** That what goes into a COLMAP database belongs together, before a byte of it is written. */

import { checkArray, checkBytes, checkList, checkNumbers, checkObject, checkPoints, checkText } from "../check.js";
import { OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { checkNumber } from "../options.js";
import {
  type ColmapDatabase,
  type ColmapDatabaseImage,
  type ColmapDatabasePair,
  type ColmapVersion,
  MAX_IMAGES,
  SIFT_BYTES,
  SIFT_TYPE,
  UNDEFINED_TYPE,
} from "./colmap-database-parts.js";
import { CAMERA_MODELS, cameraModelNumber } from "./colmap-parts.js";
import { checkTwoView } from "./colmap-two-view.js";

/** Checks that everything belongs together; returns the number of keypoints by image. */
export function checkDatabase(where: string, database: ColmapDatabase, colmap: ColmapVersion): Map<number, number> {
  const { cameras, images, pairs } = checkParts(where, database);
  const cameraIds = new Set<number>();
  for (const { id, model, width, height, params } of cameras) {
    checkId(where, "camera", id, cameraIds);
    const number = cameraModelNumber(model);
    if (number < 0) {
      throw new UnsupportedError(`${where}: camera ${id} has the model "${model}", which has no number here`);
    }
    checkNumber(where, `camera ${id}: width`, width, { min: 1, integer: true });
    checkNumber(where, `camera ${id}: height`, height, { min: 1, integer: true });
    const wanted = CAMERA_MODELS[number]?.params ?? params.length;
    if (params.length !== wanted) {
      throw new ShapeError(`${where}: camera ${id}: ${model} has ${wanted} parameters, got ${params.length}`);
    }
  }
  const counts = new Map<number, number>();
  const ids = new Set<number>();
  const names = new Set<string>();
  for (const image of images) {
    const { id, name, cameraId } = image;
    checkId(where, "image", id, ids);
    if (name === "" || name.includes("\0") || names.has(name)) {
      throw new OptionError(`${where}: the image name "${name}" is empty, has a zero byte or is there twice`);
    }
    names.add(name);
    if (!cameraIds.has(cameraId)) throw new OptionError(`${where}: image "${name}" has no camera ${cameraId}`);
    const count = keypointCount(where, image);
    counts.set(id, count);
    checkDescriptors(where, image, count, colmap);
  }
  checkPairs(where, pairs, counts, new Map(images.map(({ id, name }) => [id, name])));
  return counts;
}

/** An OptionError or ShapeError for the first part of a database that is not of its kind; lengths and ids are not compared. */
export function checkParts(where: string, database: ColmapDatabase): ColmapDatabase {
  checkObject(where, "the database", database);
  const { cameras, images, pairs } = database;
  for (const [name, list] of Object.entries({ cameras, images, pairs })) {
    for (const part of checkList(where, name, list)) checkObject(where, `one of ${name}`, part);
  }
  for (const { id, params } of cameras) checkNumbers(where, `camera ${id}: params`, params);
  for (const { name, keypoints, shapes, descriptors } of images) {
    const own = `${where}: "${checkText(where, "an image's name", name)}"`;
    if (keypoints !== null) checkPoints(own, "keypoints", checkArray(own, "keypoints", keypoints, Float32Array));
    if (shapes !== null) checkArray(own, "shapes", shapes, Float32Array);
    if (descriptors !== null) checkBytes(`${own}: descriptors`, descriptors);
  }
  for (const { id0, id1, matches, geometry } of pairs) {
    const own = `${where}: the pair ${id0}, ${id1}`;
    if (matches !== null && checkArray(own, "matches", matches, Uint32Array).length % 2) {
      throw new ShapeError(`${own}: matches come in pairs i, j, got ${matches.length} numbers`);
    }
    if (geometry !== null) checkTwoView(own, geometry);
  }
  return database;
}

function checkId(where: string, what: string, id: number, seen: Set<number>): void {
  checkNumber(where, `${what} id`, id, { min: 1, max: MAX_IMAGES - 1, integer: true });
  if (seen.has(id)) throw new OptionError(`${where}: two ${what}s have the id ${id}`);
  seen.add(id);
}

function keypointCount(where: string, { name, keypoints, shapes }: ColmapDatabaseImage): number {
  const count = (keypoints?.length ?? 0) / 2;
  const columns = shapes && count > 0 ? shapes.length / count : 0;
  const fits = Number.isInteger(count) && (count === 0 ? !shapes?.length : [0, 2, 4].includes(columns));
  if (!fits) {
    throw new ShapeError(
      `${where}: "${name}": ${keypoints?.length} numbers of positions and ${shapes?.length} of shapes do not belong together`,
    );
  }
  const bad = keypoints?.findIndex((value) => !Number.isFinite(value)) ?? -1;
  if (bad >= 0) throw new ShapeError(`${where}: "${name}": keypoints[${bad}] is not a finite number`);
  return count;
}

function checkDescriptors(
  where: string,
  { name, descriptors, descriptorType = SIFT_TYPE }: ColmapDatabaseImage,
  count: number,
  colmap: ColmapVersion,
): void {
  if (!descriptors) return;
  const what = `${where}: "${name}": ${descriptors.length} bytes of descriptors`;
  if (descriptorType === SIFT_TYPE && descriptors.length !== count * SIFT_BYTES) {
    throw new ShapeError(`${what}, expected ${SIFT_BYTES} × ${count}`);
  }
  if (descriptorType === SIFT_TYPE) return;
  if (colmap !== "4") {
    throw new ShapeError(
      `${what} of type ${descriptorType}, which COLMAP ${colmap} has no place for; write for COLMAP 4`,
    );
  }
  checkNumber(where, `"${name}": descriptorType`, descriptorType, { min: UNDEFINED_TYPE, integer: true });
  if (count === 0 ? descriptors.length > 0 : descriptors.length % (4 * count) !== 0) {
    throw new ShapeError(`${what}, expected those of ${count} rows of float32`);
  }
}

function checkPairs(
  where: string,
  pairs: readonly ColmapDatabasePair[],
  counts: Map<number, number>,
  names: Map<number, string>,
): void {
  const seen = new Set<string>();
  for (const { id0, id1, matches, geometry } of pairs) {
    const [count0, count1] = [counts.get(id0), counts.get(id1)];
    if (count0 === undefined || count1 === undefined) {
      throw new OptionError(`${where}: a pair joins images ${id0} and ${id1}, which are not both there`);
    }
    const pair = `"${names.get(id0)}" and "${names.get(id1)}"`;
    const key = `${Math.min(id0, id1)} ${Math.max(id0, id1)}`;
    if (id0 === id1 || seen.has(key)) throw new OptionError(`${where}: ${pair} are one image or two pairs`);
    seen.add(key);
    for (const indices of [matches, geometry?.inliers]) {
      if (indices) checkIndices(where, pair, indices, count0, count1);
    }
  }
}

function checkIndices(where: string, pair: string, indices: Uint32Array, count0: number, count1: number): void {
  if (indices.length % 2) throw new ShapeError(`${where}: ${pair}: indices come in pairs, got ${indices.length}`);
  for (let k = 0; k < indices.length; k += 2) {
    if (indices[k] < count0 && indices[k + 1] < count1) continue;
    throw new ShapeError(
      `${where}: ${pair}: match ${k / 2} joins keypoints ${indices[k]} and ${indices[k + 1]} of ${count0} and ` +
        `${count1}; are the matches of these features?`,
    );
  }
}
