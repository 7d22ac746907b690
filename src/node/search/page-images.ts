/** Pictures of pages about searches: small, and inside of the page. */
import type { Image } from "../../image/image.js";
import { fitSize, resizeImage } from "../../image/resize.js";
import type { PictureImage } from "../../picture/index.js";
import { DOCUMENT_STYLE } from "../../report/document-style.js";
import { foundSvg } from "../../search/found-svg.js";
import { encodeJpeg } from "../images.js";

/** The image as it is embedded, no longer edge above `edge`. */
export async function embedded(image: Image, name: string, edge: number): Promise<PictureImage> {
  const { width, height } = image;
  const jpeg = await encodeJpeg(resizeImage(image, ...fitSize(width, height, { maxEdge: edge })), 75);
  return { href: dataUri("image/jpeg", jpeg), width, height, name };
}

export function dataUri(type: string, content: Uint8Array | string): string {
  return `data:${type};base64,${Buffer.from(content).toString("base64")}`;
}

/** The drawing of a find, as the source of an `img`. */
export const drawnMatches = (...found: Parameters<typeof foundSvg>): string =>
  dataUri("image/svg+xml", foundSvg(...found));

export const PAGE_STYLE = `${DOCUMENT_STYLE}
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; } .row { display: flex; flex-wrap: wrap; gap: .5rem; } .row img { max-height: 14rem; }`;
