/** Several segments as the content of one, without the images that were removed. */
import { isRemoved } from "./manifest.js";
import type { OpenSegment } from "./open-segment.js";
import type { Postings } from "./score.js";
import { vectorBytes } from "./segment-format.js";
import type { SegmentContent } from "./segment-write.js";

const GONE = 0xffffffff;

/** Images keep their order; postings and keypoints are read as they are asked for. */
export async function mergedContent(segments: readonly OpenSegment[]): Promise<SegmentContent> {
  const parts = await Promise.all(segments.flatMap(({ entry, reader }) => (reader ? [partOf(entry, reader)] : [])));
  const places: [part: number, image: number][] = [];
  for (const [p, { images, ordinals, entry }] of parts.entries()) {
    for (let image = 0; image < images; image++) {
      if (isRemoved(entry, image)) continue;
      ordinals[image] = places.length;
      places.push([p, image]);
    }
  }
  return {
    images: places.length,
    id: (i) => parts[places[i][0]].ids[places[i][1]],
    digest: (i) => parts[places[i][0]].digest(places[i][1]),
    norm: (i) => parts[places[i][0]].norms[places[i][1]],
    local: (i) => parts[places[i][0]].reader.localBlock(places[i][1]),
    async vector(i) {
      const { reader } = parts[places[i][0]];
      const length = vectorBytes(reader.footer);
      return (await reader.vectors()).subarray(places[i][1] * length, (places[i][1] + 1) * length);
    },
    async postings(word) {
      const lists: Postings[] = [];
      for (const { reader, ordinals } of parts) {
        await reader.postings(Uint32Array.of(word), (_, postings) => lists.push(renumbered(postings, ordinals)));
      }
      return joined(lists);
    },
  };
}

async function partOf(entry: OpenSegment["entry"], reader: NonNullable<OpenSegment["reader"]>) {
  return {
    entry,
    reader,
    images: reader.images,
    ids: await reader.allIds(),
    digest: await reader.digests(),
    norms: await reader.norms(),
    ordinals: new Uint32Array(reader.images).fill(GONE),
  };
}

function renumbered({ images, signatures }: Postings, ordinals: Uint32Array): Postings {
  const stay = Uint32Array.from(images.keys()).filter((i) => ordinals[images[i]] !== GONE);
  const kept = new Int32Array(2 * stay.length);
  for (const [to, i] of stay.entries()) kept.set(signatures.subarray(2 * i, 2 * i + 2), 2 * to);
  return { images: stay.map((i) => ordinals[images[i]]), signatures: kept };
}

function joined(lists: readonly Postings[]): Postings {
  const total = lists.reduce((sum, { images }) => sum + images.length, 0);
  const all = { images: new Uint32Array(total), signatures: new Int32Array(2 * total) };
  let at = 0;
  for (const { images, signatures } of lists) {
    all.images.set(images, at);
    all.signatures.set(signatures, 2 * at);
    at += images.length;
  }
  return all;
}
