/** `strata bench views`: views of photographs by known homographies, as sequences in the layout of HPatches. */
import { drawPhotoViews } from "../../node/bench/photo-views.js";
import { type Context, EXIT } from "../context.js";
import { stageOf } from "../progress.js";

export interface ViewsFlags {
  photos: string;
  out: string;
  pairs: number;
  size: number;
  zoom: number;
  seed: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** As much of a view as two of them must share at the largest zoom. */
const MIN_OVERLAP = 0.1;

export async function viewsCommand(flags: ViewsFlags, context: Context): Promise<number> {
  const { photos, out, pairs, size, zoom, seed, quiet } = flags;
  const homography = { zoom, minOverlap: Math.min(MIN_OVERLAP, 0.8 / zoom ** 2) };
  const openStage = stageOf(quiet, context);
  const drawn = await drawPhotoViews({ photos, out, pairs, size, homography, seed, openStage });
  if (!quiet) for (const line of drawn.leftOut) context.err(`strata: note: left out: ${line}\n`);
  if (flags.json) context.out(`${JSON.stringify(drawn)}\n`);
  else if (!quiet) context.out(`${drawn.sequences} sequences in ${out}\n`);
  return EXIT.ok;
}
