/** `strata index info`, `merge`, `check` and `remove`. */
import { openIndexAt } from "../../node/search/index-place.js";
import { plural } from "../../plural.js";
import type { ImageIndex } from "../../search/image-index.js";
import { type Context, EXIT } from "../context.js";
import { describeBytes } from "../models/bytes.js";
import { errorCode } from "../report-error.js";

export interface AdminFlags {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

async function withIndex<T>(folder: string, write: boolean, work: (index: ImageIndex) => Promise<T>): Promise<T> {
  const index = await openIndexAt(folder, { write });
  try {
    return await work(index);
  } finally {
    await index.close();
  }
}

export async function infoCommand(folder: string, flags: AdminFlags, { out }: Context): Promise<number> {
  return withIndex(folder, false, async (index) => {
    const words = (await index.vocabulary())?.words;
    const info = index.info();
    const damaged = info.damaged.map(({ file, error }) => ({ file, message: error.message }));
    if (flags.json)
      out(`${JSON.stringify({ ...info, vocabulary: info.vocabulary && { ...info.vocabulary, words }, damaged })}\n`);
    else {
      const { kind, model, global, images, removed, bytes, segments } = info;
      const each = images > 0 ? `, ${describeBytes(Math.round(bytes / (images + removed)))} each` : "";
      out(
        [
          `${folder}: ${plural(images, "image")}${removed > 0 ? `, ${removed} removed` : ""}; ${describeBytes(bytes)}${each}`,
          `kind ${kind}, ${global ? `${global.dim} values of ${global.name} (${global.sha256.slice(0, 8)})` : plural(words ?? 0, "word")}; model ${model.name} (${model.sha256.slice(0, 8)})`,
          `extraction ${JSON.stringify(info.extraction)}`,
          ...segments.map(
            (one) =>
              `${one.file}: ${plural(one.images, "image")}${one.removed ? `, ${one.removed} removed` : ""}, ${describeBytes(one.bytes)}`,
          ),
          ...damaged.map(({ message }) => `damaged: ${message}`),
          "",
        ].join("\n"),
      );
    }
    return damaged.length > 0 ? EXIT.failed : EXIT.ok;
  });
}

export async function mergeCommand(folder: string, flags: AdminFlags, { out }: Context): Promise<number> {
  return withIndex(folder, true, async (index) => {
    const done = await index.merge();
    const { images, bytes } = index.info();
    if (flags.json) out(`${JSON.stringify({ ...done, images, bytes })}\n`);
    else if (!flags.quiet)
      out(
        `${plural(done.before, "segment")} before, ${done.after} after; ${plural(images, "image")}, ${describeBytes(bytes)}\n`,
      );
    return EXIT.ok;
  });
}

export async function checkCommand(folder: string, flags: AdminFlags, { out, err }: Context): Promise<number> {
  return withIndex(folder, false, async (index) => {
    const damaged = await index.check();
    const { images, segments } = index.info();
    const told = damaged.map(({ file, error }) => ({ file, code: errorCode(error), message: error.message }));
    if (flags.json) out(`${JSON.stringify({ images, segments: segments.length, damaged: told })}\n`);
    else for (const { message } of told) err(`strata: ${message}\n`);
    if (!flags.json && !flags.quiet && damaged.length === 0)
      out(`${folder} is whole: ${plural(images, "image")} in ${plural(segments.length, "segment")}\n`);
    return damaged.length > 0 ? EXIT.failed : EXIT.ok;
  });
}

export async function removeCommand(
  folder: string,
  ids: string[],
  flags: AdminFlags,
  { out, err }: Context,
): Promise<number> {
  return withIndex(folder, true, async (index) => {
    const there = await index.entries();
    const missing = ids.filter((id) => !there.has(id));
    index.remove(ids);
    const { removed } = await index.commit();
    const { images } = index.info();
    for (const id of missing) err(`strata: there is no image ${id} in ${folder}\n`);
    if (flags.json) out(`${JSON.stringify({ removed, missing, images })}\n`);
    else if (!flags.quiet) out(`${plural(removed, "image")} removed; ${folder} has ${plural(images, "image")}\n`);
    return missing.length > 0 ? EXIT.failed : EXIT.ok;
  });
}
