/**
 * `npm run bench auto`: what `verifyMatches` with the model "auto" takes pairs of images for, a plane or a scene with depth,
 * where that is known: scenes with cameras, planar sequences, and views that are drawn of the photographs of `val`.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { topFeatures } from "../src/bench/features.js";
import { drawSceneViews } from "../src/bench/scene-views.js";
import type { Features } from "../src/features.js";
import type { IntrinsicsLike } from "../src/geometry/intrinsics.js";
import { openScenes } from "../src/node/bench/scenes.js";
import { openSequences } from "../src/node/bench/sequences.js";
import { type Extractor, loadImage, matchFeatures, openExtractor, Random, verifyMatches } from "../src/node/index.js";
import { PhotoSource } from "../src/node/train/photos.js";

/** How many pairs of a set were taken for what. */
export interface AutoRow {
  set: string;
  plane: number;
  depth: number;
}

const shared = (name: string) => fileURLToPath(new URL(`../../shared/${name}`, import.meta.url));
const KEYPOINTS = 2000;
/** Pairs that are drawn of photographs, their size, and views between which only the light changes. */
const [DRAWN, VIEW] = [60, 448];
const SAME_VIEW = { rotation: 0, zoom: 1, perspective: 0, shear: 0, shift: 0 };

interface Pair {
  set: string;
  images: [Features, Features];
  cameras?: [IntrinsicsLike, IntrinsicsLike];
}

export async function compareAuto(model = "strata-s"): Promise<AutoRow[]> {
  const extractor = await openExtractor({ model });
  const rows = new Map<string, AutoRow>();
  try {
    for (const [folder, pairs] of [
      ["scenes", deepPairs],
      ["hseq", planarPairs],
      ["photos/val", drawnPairs],
    ] as const) {
      if (!existsSync(shared(folder))) {
        console.log(`auto: ${shared(folder)} is missing; without it`);
        continue;
      }
      for await (const { set, images, cameras } of pairs(extractor, shared(folder))) {
        const matches = await matchFeatures(...images);
        const known = cameras && { intrinsicsA: cameras[0], intrinsicsB: cameras[1] };
        for (const [name, given] of [
          [set, {}] as const,
          ...(known ? [[`${set}, cameras known`, known] as const] : []),
        ]) {
          const row = rows.get(name) ?? { set: name, plane: 0, depth: 0 };
          const found = await verifyMatches(...images, matches, { model: "auto", ...given });
          row[found.model === "homography" ? "plane" : "depth"]++;
          rows.set(name, row);
        }
      }
    }
  } finally {
    await extractor.dispose();
  }
  return [...rows.values()];
}

/** One line per set. */
export function autoTable(rows: readonly AutoRow[]): string {
  const line = (set: string, plane: unknown, depth: unknown) =>
    `${set.padEnd(44)}${`${plane}`.padStart(6)}${`${depth}`.padStart(7)}`;
  return [line("set", "plane", "depth"), ...rows.map(({ set, plane, depth }) => line(set, plane, depth))].join("\n");
}

/** Image i of each scene with the next three. */
async function* deepPairs(extractor: Extractor, folder: string): AsyncGenerator<Pair> {
  for (const { images } of await openScenes(folder)) {
    const seen: Features[] = [];
    for (const { path } of images) seen.push(topFeatures(await extractor.extract(await loadImage(path)), KEYPOINTS));
    for (const [i, a] of seen.entries()) {
      for (const [k, b] of seen.slice(i + 1, i + 4).entries()) {
        const cameras = [images[i], images[i + 1 + k]].map(({ camera }) => camera.intrinsics);
        yield { set: "scenes with depth", images: [a, b], cameras: cameras as [IntrinsicsLike, IntrinsicsLike] };
      }
    }
  }
}

async function* planarPairs(extractor: Extractor, folder: string): AsyncGenerator<Pair> {
  for (const { images, pairs } of (await openSequences(folder)).sequences) {
    const seen = new Map<number, Features>();
    for (const { number, path } of images) seen.set(number, await extractor.extract(await loadImage(path)));
    for (const pair of pairs) {
      const [a, b] = pair.images.map((number) => seen.get(number) as Features);
      yield { set: "planar sequences", images: [a, b] };
    }
  }
}

/** Views of a photograph by a homography, and of scenes that are drawn of it. */
async function* drawnPairs(extractor: Extractor, folder: string): AsyncGenerator<Pair> {
  for (const isScene of [false, true]) {
    const views = isScene ? { homography: SAME_VIEW } : {};
    const source = await PhotoSource.open({ folder, cropSize: VIEW, seed: 1, ...views });
    try {
      for (let [index, drawn] = [0, 0]; drawn < DRAWN; index++) {
        const pair = await source.pair(Math.floor(index / source.length), index % source.length);
        if ("skipped" in pair) continue;
        drawn++;
        const scene = isScene ? drawSceneViews(pair.images, new Random(index)) : null;
        const [a, b] = await extractor.extractBatch(scene?.images ?? pair.images);
        yield scene
          ? { set: "drawn scenes", images: [a, b], cameras: [scene.intrinsics, scene.intrinsics] }
          : { set: "drawn views of a photograph", images: [a, b] };
      }
    } finally {
      await source.dispose();
    }
  }
}
