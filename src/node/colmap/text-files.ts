/** The text files that COLMAP's `feature_importer` and `matches_importer` take. */
import { join } from "node:path";
import { OptionError } from "../../errors.js";
import type { Features } from "../../features.js";
import { encodeUtf8 } from "../../formats/bytes.js";
import { type ImagePair, writeColmapFeatures, writeColmapMatches } from "../../formats/colmap.js";
import type { VerifiedPair } from "../../formats/colmap-results.js";
import { ioError } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { lockPath, withLock } from "../lock.js";
import { namingImage } from "../name-errors.js";
import { pathBelow } from "../names.js";
import { writeBelow } from "../write-below.js";

/** A folder with features/NAME.txt, matches.txt (all matches), inliers.txt (of verified pairs) and pairs.txt. */
export async function writeText(
  features: ReadonlyMap<string, Features>,
  pairs: readonly VerifiedPair[],
  out: string,
): Promise<string[]> {
  const list = pairList(pairs);
  if (list === null)
    throw new OptionError("an image's name has white space, which COLMAP's lists cannot hold; write a database");
  await makeFolder(out).catch((cause) => {
    throw ioError("write into", out, cause);
  });
  return withLock(lockPath(out), `the folder ${out}`, () => writeLists(features, pairs, list, out));
}

async function writeLists(
  features: ReadonlyMap<string, Features>,
  pairs: readonly VerifiedPair[],
  list: Uint8Array,
  out: string,
): Promise<string[]> {
  for (const [name, one] of features) {
    await writeBelow(
      pathBelow(join(out, "features"), name, ".txt"),
      namingImage(name, () => writeColmapFeatures(one)),
    );
  }
  const outputs = [join(out, "features")];
  if (pairs.length === 0) return outputs;
  const write = async (name: string, content: Uint8Array): Promise<void> => {
    await writeBelow(join(out, name), content);
    outputs.push(join(out, name));
  };
  await write("matches.txt", writeColmapMatches(pairs));
  await write("pairs.txt", list);
  const verified = pairs.filter((pair) => pair.verified !== undefined).map(inliersOf);
  if (verified.length > 0) await write("inliers.txt", writeColmapMatches(verified));
  return outputs;
}

/** The matches of a pair that were verified. */
function inliersOf({ name0, name1, matches, verified }: VerifiedPair): ImagePair {
  if (!verified) return { name0, name1, matches };
  const { inliers } = verified;
  const pairs = Uint32Array.from(
    { length: 2 * inliers.length },
    (_, k) => matches.pairs[2 * inliers[k >> 1] + (k & 1)],
  );
  return { name0, name1, matches: { count: inliers.length, pairs, scores: matches.scores.slice(0, inliers.length) } };
}

/** A line per pair, or null where a name has white space. */
export function pairList(pairs: readonly ImagePair[]): Uint8Array | null {
  if (pairs.some(({ name0, name1 }) => /\s/.test(name0 + name1))) return null;
  return encodeUtf8(pairs.map(({ name0, name1 }) => `${name0} ${name1}\n`).join(""));
}
