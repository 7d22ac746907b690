/** Pictures to follow: compiled in the page, or opened from files. */
import type { Extractor } from "../../../src/index.js";
import {
  compileTarget,
  isTarget,
  POOR_QUALITY,
  readTarget,
  type Target,
  type TargetQuality,
} from "../../../src/track/index.js";
import { encodePhoto, openPhoto } from "../photos.js";

/** A target with a picture of it. */
export interface Followed {
  target: Target;
  /** `blob:`; let go by `closeTarget`. */
  href: string;
  /** What was done to the picture that its reader should know. */
  note?: string;
}

/** A picture compiles to a target; a target's file is read as it is. `model` is asked for only then. */
export async function openTarget(
  file: Blob,
  name: string,
  model: (named: string | null) => Promise<Extractor>,
): Promise<Followed> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!isTarget(bytes)) {
    if (/\.strata$/i.test(name)) readTarget(bytes, name);
    const { image, href, note } = await openPhoto(file, name);
    try {
      const target = await compileTarget(image, await model(null), { name: withoutEnding(name) });
      return { target, href, note };
    } catch (error) {
      URL.revokeObjectURL(href);
      throw error;
    }
  }
  const target = readTarget(bytes, name);
  const { info } = await model(target.model.name);
  if (info.sha256 !== target.model.sha256) {
    const which = info.model === target.model.name ? `other weights of ${info.model}` : info.model;
    throw new Error(
      `${name}: it was compiled with ${target.model.name} (${target.model.sha256.slice(0, 8)}), and this page follows with ` +
        `${which} (${info.sha256.slice(0, 8)}); take the others away first, or compile the picture here`,
    );
  }
  return { target: { ...target, name: target.name || withoutEnding(name) }, href: await greyPicture(target) };
}

export function closeTarget({ href }: Followed): void {
  URL.revokeObjectURL(href);
}

/** "good", "fair: repeats itself", or "poor: …", with what to do about it. */
export function describeQuality({ score, reason }: TargetQuality): string {
  const share = `${Math.round(100 * score)} of 100`;
  if (!reason) return `Good, ${share}`;
  if (score >= POOR_QUALITY) return `Fair, ${share}: ${reason}`;
  return `Poor, ${share}: ${reason}. It will be lost often; take a picture with detail all over`;
}

const withoutEnding = (name: string): string => name.replace(/\.[a-z0-9]+$/i, "");

/** What a target's file has of its picture. */
async function greyPicture({ picture: { width, height, data } }: Target): Promise<string> {
  const rgb = new Uint8Array(3 * data.length);
  for (const [i, value] of data.entries()) rgb.fill(value, 3 * i, 3 * i + 3);
  return URL.createObjectURL(await encodePhoto({ width, height, data: rgb }));
}
