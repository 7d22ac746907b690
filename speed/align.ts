/**
 * `npm run bench align [-- --data FOLDER --max-edge 960]`: how near `alignImages` comes to the truth of sequences in HPatches'
 * layout, the first image of each laid onto the others: by keypoints alone, and by pixels after them.
 */
import { cornerError } from "../src/geometry/corner-error.js";
import { openSequences } from "../src/node/bench/sequences.js";
import { alignImages, loadImage, openExtractor } from "../src/node/index.js";
import { HSEQ } from "./geometry.js";

/** Mean distances of the corners from the truth in pixels; null where the image has no place. */
export interface AlignRow {
  pair: string;
  keypoints: number | null;
  pixels: number | null;
}

export async function measureAlign(data = HSEQ, maxEdge: number | null = null): Promise<AlignRow[]> {
  const rows: AlignRow[] = [];
  const extractor = await openExtractor();
  try {
    for (const { name, images, pairs } of (await openSequences(data)).sequences) {
      const first = await loadImage(images[0].path);
      const size = [first.width, first.height] as const;
      for (const [k, { homography: truth }] of pairs.entries()) {
        const pair = [first, await loadImage(images[k + 1].path)];
        const errors = [];
        for (const refine of [false, true]) {
          const { homography } = (await alignImages(extractor, pair, { refine, maxEdge })).parts[0];
          errors.push(homography && cornerError(homography, truth, size));
        }
        rows.push({ pair: `${name} 1–${k + 2}`, keypoints: errors[0], pixels: errors[1] });
      }
    }
  } finally {
    await extractor.dispose();
  }
  return rows;
}

export function alignTable(rows: readonly AlignRow[]): string {
  const px = (value: number | null) => (value === null ? "no place" : value.toFixed(2)).padStart(10);
  const lines = rows.map(({ pair, keypoints, pixels }) => `${pair.padEnd(18)}${px(keypoints)}${px(pixels)}`);
  const placed = rows.filter(({ keypoints, pixels }) => keypoints !== null && pixels !== null) as {
    keypoints: number;
    pixels: number;
  }[];
  const mean = (of: (row: { keypoints: number; pixels: number }) => number) =>
    placed.reduce((sum, row) => sum + of(row), 0) / placed.length;
  const count = (holds: (gain: number) => boolean) =>
    placed.filter(({ keypoints, pixels }) => holds(keypoints - pixels)).length;
  return [
    `${"pair".padEnd(18)}${"keypoints".padStart(10)}${"pixels".padStart(10)}`,
    ...lines,
    "",
    `mean of ${placed.length}: ${mean((row) => row.keypoints).toFixed(2)} px by keypoints, ${mean((row) => row.pixels).toFixed(2)} by pixels; ` +
      `${count((gain) => gain > 0.01)} nearer to the truth, ${count((gain) => gain < -0.01)} farther`,
  ].join("\n");
}
