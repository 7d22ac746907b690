/** `strata target`: pictures compiled into targets, and what is in one. */
import { extname } from "node:path";
import { OptionError } from "../../errors.js";
import { readFileChecked, writeFileAtomic } from "../../node/atomic.js";
import { checkWritable } from "../../node/folders.js";
import { refuseOverwriting } from "../../node/overwriting.js";
import { loadTarget } from "../../node/track/load-target.js";
import { POOR_QUALITY } from "../../track/quality.js";
import type { Target } from "../../track/target.js";
import { readTarget, TARGET_VERSION, writeTarget } from "../../track/target-file.js";
import { type ExtractionFlags, imageOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { trackOptions } from "./model.js";

export interface CompileFlags extends ExtractionFlags {
  out?: string;
  name?: string;
  width?: number;
  json?: boolean;
  quiet?: boolean;
}

export async function compileCommand(picture: string, flags: CompileFlags, context: Context): Promise<number> {
  const out = flags.out ?? `${picture.slice(0, picture.length - extname(picture).length)}.strata`;
  await refuseOverwriting([picture], [out]);
  await checkWritable([out]);
  const opened = openOnce(() => context.engine.openExtractor(trackOptions(flags)));
  try {
    const target = await loadTarget(picture, opened.extractor, {
      name: flags.name,
      physicalWidth: flags.width,
      image: { ...imageOptions(flags), onWarning: (warning) => context.err(`strata: warning: ${warning}\n`) },
    });
    refusePoor(picture, target);
    const bytes = writeTarget(target);
    await writeFileAtomic(out, bytes);
    tell(out, target, bytes.length, flags, context);
    return EXIT.ok;
  } finally {
    await opened.dispose();
  }
}

/** An extractor that is opened when it is needed: what is compiled already needs none. */
function openOnce<T extends { dispose(): Promise<void> }>(open: () => Promise<T>) {
  let opened: Promise<T> | undefined;
  return {
    extractor() {
      opened ??= open();
      return opened;
    },
    async dispose() {
      await (await opened?.catch(() => undefined))?.dispose();
    },
  };
}

/** An OptionError for a picture that cannot be tracked at all. */
function refusePoor(path: string, { quality }: Target): void {
  if (quality.score >= POOR_QUALITY) return;
  throw new OptionError(
    `${path}: the picture is too poor to track: ${quality.reason} (quality ${quality.score.toFixed(2)} of 1, at least ` +
      `${POOR_QUALITY} are needed); take one with more detail all over it`,
  );
}

export interface TargetInfoFlags {
  json?: boolean;
}

export async function targetInfoCommand(path: string, flags: TargetInfoFlags, context: Context): Promise<number> {
  const bytes = await readFileChecked(path);
  tell(path, readTarget(bytes, path), bytes.length, flags, context);
  return EXIT.ok;
}

function tell(
  path: string,
  { name, size, physicalWidth, model, features, picture, quality }: Target,
  bytes: number,
  { json, quiet }: { json?: boolean; quiet?: boolean },
  context: Context,
): void {
  const info = {
    path,
    version: TARGET_VERSION,
    bytes,
    name,
    width: size[0],
    height: size[1],
    physicalWidth,
    model,
    keypoints: features.count,
    picture: { width: picture.width, height: picture.height },
    quality,
  };
  if (json) context.out(`${JSON.stringify(info)}\n`);
  else if (!quiet) {
    const why = quality.reason ? ` (${quality.reason})` : "";
    context.out(
      `${path}: target "${name}" of a picture of ${size[0]}×${size[1]}, ${(bytes / 1000).toFixed(1)} kB\n` +
        `width ${physicalWidth}; ${features.count} keypoints of ${model.name} (${model.sha256.slice(0, 12)}…); ` +
        `picture ${picture.width}×${picture.height}\n` +
        `quality ${quality.score.toFixed(2)} of 1${why}\n`,
    );
  }
}
