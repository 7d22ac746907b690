/** The files that the command line writes of a match, made in the page. */
import { fitSize, type MatchReport, matchesSvg, matchJson, matchNpz, resizeImage } from "../../src/web/index.js";
import { encodePhoto } from "./photos.js";
import { download } from "./view.js";

/** Longest edge of the images inside a picture, in pixels. */
const EMBEDDED_EDGE = 1600;

export async function saveReport(report: MatchReport, kind: "png" | "svg" | "json" | "npz"): Promise<void> {
  download(await fileOf(report, kind), `matches.${kind}`);
}

async function fileOf(report: MatchReport, kind: "png" | "svg" | "json" | "npz"): Promise<Blob> {
  if (kind === "json") return new Blob([JSON.stringify(matchJson(report, true))], { type: "application/json" });
  if (kind === "npz") return new Blob([(await matchNpz(report)) as BlobPart], { type: "application/zip" });
  const svg = new Blob([await drawSvg(report)], { type: "image/svg+xml" });
  return kind === "svg" ? svg : rasterize(svg);
}

async function drawSvg({ paths, images, features, matches, homography }: MatchReport): Promise<string> {
  const [imageA, imageB] = await Promise.all(
    images.map(async (image, k) => {
      const { width, height } = image;
      const small = resizeImage(image, ...fitSize(width, height, { maxEdge: EMBEDDED_EDGE }));
      return { href: await dataUri(await encodePhoto(small, "image/jpeg")), width, height, name: paths[k] };
    }),
  );
  return matchesSvg({ imageA, imageB, featuresA: features[0], featuresB: features[1], matches, homography });
}

/** A file as an address that holds it. */
export function dataUri(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function rasterize(svg: Blob): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(svg);
  try {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    return await canvas.convertToBlob({ type: "image/png" });
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
