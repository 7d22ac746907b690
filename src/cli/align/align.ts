/** `strata align`: images of one plane, warped onto one of them, as pictures. */
import { basename, extname, join } from "node:path";
import { type AlignedImages, alignImages } from "../../align/align.js";
import type { AlignCrop } from "../../align/canvas.js";
import type { AlignOverlay, Fill } from "../../align/compose.js";
import { OptionError } from "../../errors.js";
import { sessionNotes } from "../../extract/extractor.js";
import type { Image } from "../../image/image.js";
import { checkWritable, makeFolder } from "../../node/folders.js";
import { loadImage, saveImage } from "../../node/images.js";
import { refuseOverwriting } from "../../node/overwriting.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { describeVerdict } from "../match.js";

export interface AlignFlags extends ExtractionFlags {
  out: string;
  onto?: string;
  crop?: AlignCrop;
  overlay?: Exclude<AlignOverlay, "none">;
  fill?: number[];
  ratio?: number;
  thresholdPx?: number;
  seed?: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

const PICTURES = [".png", ".jpg", ".jpeg"];

export async function alignCommand(named: string[], flags: AlignFlags, context: Context): Promise<number> {
  const { paths, onto } = whichOnto(named, flags.onto);
  const outputs = outputsOf(paths, onto, flags.out);
  await refuseOverwriting(paths, outputs);
  await checkWritable(outputs);
  const images: Image[] = [];
  const onWarning = (message: string) => flags.quiet || context.err(`strata: warning: ${message}\n`);
  for (const path of paths) images.push(await loadImage(path, { ...imageOptions(flags), onWarning }));
  // Images are made smaller before they are matched, not by the extractor: thresholds then count in the pixels it sees.
  const { maxEdge, ...extraction } = flags;
  const extractor = await context.engine.openExtractor(openOptions(extraction));
  try {
    const aligned = await alignImages(extractor, images, {
      ...{ onto, crop: flags.crop, overlay: flags.overlay, fill: flags.fill as Fill | undefined, maxEdge },
      match: { ratio: flags.ratio ?? null },
      homography: { threshold: flags.thresholdPx ?? 3, seed: flags.seed ?? 0 },
    });
    const written = await write(aligned, outputs);
    if (!flags.quiet) {
      for (const note of sessionNotes(extractor.info)) context.err(`strata: ${note}\n`);
      for (const line of doubts(paths, aligned)) context.err(`strata: ${line}\n`);
    }
    if (flags.json) context.out(`${JSON.stringify(asJson(paths, aligned, written))}\n`);
    else if (!flags.quiet) context.out(describe(paths, aligned, written));
    return aligned.parts.every((part) => part.homography) ? EXIT.ok : EXIT.failed;
  } finally {
    await extractor.dispose();
  }
}

/** The images with the reference among them, and which one that is. */
function whichOnto(named: readonly string[], onto: string | undefined): { paths: string[]; onto: number } {
  const paths = [...named];
  if (onto === undefined) {
    if (paths.length < 2) throw new OptionError(`align needs two images, or one and --onto; got ${paths.length}`);
    return { paths, onto: paths.length - 1 };
  }
  const at = paths.indexOf(onto);
  if (at < 0) paths.push(onto);
  if (paths.length < 2) throw new OptionError("align needs an image beside --onto");
  return { paths, onto: at < 0 ? paths.length - 1 : at };
}

/** One picture of all, or one for each image (null: the reference) in a folder. */
function outputsOf(paths: readonly string[], onto: number, out: string): string[] {
  if (PICTURES.includes(extname(out).toLowerCase())) return [out];
  if (extname(out) !== "" && !out.endsWith("/")) {
    throw new OptionError(`--out ${out}: its ending must be one of ${PICTURES.join(", ")}, or it is a folder`);
  }
  const names = paths.map((path) => `${basename(path, extname(path))}.png`);
  const twice = names.find(
    (name, i) => i !== onto && names.some((other, k) => k !== i && k !== onto && other === name),
  );
  if (twice) throw new OptionError(`--out ${out}: two images would be written to ${twice}; give them other names`);
  return names.flatMap((name, i) => (i === onto ? [] : join(out, name)));
}

/** What was written. Nothing where no image has a place. */
async function write(aligned: AlignedImages, outputs: readonly string[]): Promise<string[]> {
  if (!aligned.image) return [];
  if (PICTURES.includes(extname(outputs[0]).toLowerCase()) && outputs.length === 1) {
    await saveImage(outputs[0], aligned.image);
    return [...outputs];
  }
  const written: string[] = [];
  let i = 0;
  for (const [k, layer] of [...aligned.layers()].entries()) {
    if (k === aligned.onto) continue;
    const path = outputs[i++];
    if (!layer) continue;
    await makeFolder(join(path, ".."));
    await saveImage(path, layer);
    written.push(path);
  }
  return written;
}

/** What a user should know of images without a place, and of those that are not sure. */
function doubts(paths: readonly string[], { parts, onto }: AlignedImages): string[] {
  return parts.flatMap(({ homography, verdict, matches }, i) => {
    if (i === onto) return [];
    if (!homography)
      return [`${paths[i]} does not show ${paths[onto]} (${matches} matches, no homography that they agree on)`];
    return verdict?.verdict === "uncertain" ? [`${paths[i]}: ${describeVerdict(verdict)}; look at the picture`] : [];
  });
}

function asJson(paths: readonly string[], { canvas, onto, parts }: AlignedImages, outputs: readonly string[]) {
  return {
    ...{ onto: paths[onto], canvas },
    images: parts.map(({ homography, by, matches, inliers, verdict }, i) => ({
      path: paths[i],
      homography: homography && Array.from(homography),
      by: by === null ? null : paths[by],
      ...{ matches, inliers },
      verdict: verdict?.verdict ?? null,
      probability: verdict?.probability ?? null,
    })),
    outputs,
  };
}

function describe(
  paths: readonly string[],
  { canvas, onto, parts }: AlignedImages,
  written: readonly string[],
): string {
  const lines = parts.flatMap(({ homography, by, matches, inliers }, i) => {
    if (i === onto || !homography) return [];
    const way = by === null || by === onto ? "" : ` by way of ${paths[by]}`;
    return [`${paths[i]} onto ${paths[onto]}${way}: ${inliers} of ${matches} matches agree`];
  });
  if (written.length) lines.push(`${canvas.width}×${canvas.height}, written: ${written.join(", ")}`);
  else lines.push("nothing written: no image shows the reference");
  return `${lines.join("\n")}\n`;
}
