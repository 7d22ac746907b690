/** A find as a picture: the indexed picture beside the query, with the points that fit together. */
import { foundSvg } from "../../../src/search/found-svg.js";
import type { SearchResult } from "../../../src/search/index.js";
import { fitSize, resizeImage } from "../../../src/web/index.js";
import { dataUri } from "../match-files.js";
import { encodePhoto, type Photo } from "../photos.js";
import type { PhotoIndex } from "./photo-index.js";

/** Longest edge of the query inside of the drawing, in pixels. */
const EDGE = 800;
/** Stands for a picture that is not kept. */
const GREY =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 3'%3E%3Crect width='4' height='3' fill='%23777'/%3E%3C/svg%3E";

/** The query as drawings hold it; made once for all results. */
export async function embedQuery({ image, name }: Photo) {
  const { width, height } = image;
  const small = resizeImage(image, ...fitSize(width, height, { maxEdge: EDGE }));
  return { href: await dataUri(await encodePhoto(small, "image/jpeg")), width, height, name };
}

/** A blob of the drawing, or of the picture alone where no points fit; null where neither is there. */
export async function drawFind(
  index: PhotoIndex,
  { id, geometry, points }: SearchResult,
  query: Awaited<ReturnType<typeof embedQuery>>,
): Promise<{ drawing: Blob | null; isKept: boolean }> {
  const picture = await index.picture(id);
  if (!geometry || !points) return { drawing: picture, isKept: picture !== null };
  const [width, height] = await index.sizeOf(id);
  const own = { href: picture ? await dataUri(picture) : GREY, width, height, name: id };
  const svg = foundSvg(own, query, points, geometry.matrix);
  return { drawing: new Blob([svg], { type: "image/svg+xml" }), isKept: picture !== null };
}
