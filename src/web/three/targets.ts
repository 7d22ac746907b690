/** Targets of whatever a page has: compiled ones, and plain pictures that are compiled when the tracker starts. */
import { IoError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { compileTarget, isTarget, readTarget, type Target } from "../../track/index.js";
import { type ImageSource, loadImage } from "../images.js";

/** A compiled target, bytes or the address of one, or a picture in any form that a page has. */
export type TargetSource = Target | ImageSource;

/** The targets, in their order. Plain pictures take the extractor a moment each. */
export async function openTargets(sources: readonly TargetSource[], extractor: Extractor): Promise<Target[]> {
  const targets: Target[] = [];
  for (const [i, source] of sources.entries()) targets.push(await openTarget(source, extractor, `target ${i}`));
  return targets;
}

async function openTarget(source: TargetSource, extractor: Extractor, name: string): Promise<Target> {
  if (typeof source === "object" && "packedPicture" in source) return source;
  const bytes = await bytesOf(source);
  if (bytes && isTarget(bytes)) return readTarget(bytes, name);
  return compileTarget(await loadImage((bytes as Uint8Array<ArrayBuffer>) ?? source), extractor, { name });
}

/** The bytes behind an address, a Blob or a buffer; null for what is drawn. */
async function bytesOf(source: ImageSource): Promise<Uint8Array | null> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof DataView) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (typeof source !== "string" && !(source instanceof URL)) return null;
  try {
    const answer = await fetch(source);
    if (!answer.ok) throw new IoError(`ImageTracker: cannot fetch ${source}: the server answers ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  } catch (cause) {
    if (cause instanceof IoError) throw cause;
    throw new IoError(`ImageTracker: cannot fetch ${source}: ${(cause as Error).message}`, { cause });
  }
}
