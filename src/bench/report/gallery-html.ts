/** The sequences as pictures: per sequence the chosen pairs with their matches, then what the models see. */
import { escapeXml } from "../../escape.js";
import { PALETTE } from "../../picture/picture.js";
import { CELLS, type Gallery, type PairPicture, type Photo, type ScoreMaps } from "./input.js";
import { count, decimals, pairName, runName } from "./text.js";

/** Units of a pair's drawing. */
const WIDTH = 840;
const GAP = 6;
/** Tall pairs become narrower instead of longer than this. */
const MAX_HEIGHT = 460;

const WHICH: Record<PairPicture["which"], string> = { best: "best pair", worst: "worst pair", only: "only pair" };

/** Sections, one for each sequence; every photograph is in the page once and only used by reference. */
export function galleryHtml({ photos, pairs, scoreMaps }: Gallery): string {
  const ids = new Map(Object.keys(photos).map((key, i) => [key, `photo-${i}`]));
  const place = { photos, ids };
  const sequences = [...new Set([...pairs, ...scoreMaps].map(({ sequence }) => sequence))];
  const sections = sequences.map((sequence) => {
    const own = pairs.filter((pair) => pair.sequence === sequence).map((pair) => pairFigure(pair, place));
    const maps = scoreMaps.filter((map) => map.sequence === sequence).map((map) => mapsFigure(map, place));
    const grid = own.length > 0 ? `<div class="pairs">${own.join("\n")}</div>` : "";
    return `<section class="sequence"><h3><bdi>${escapeXml(sequence)}</bdi></h3>${grid}${maps.join("\n")}</section>`;
  });
  const defined = [...ids].map(([key, id]) => {
    const { href, width, height } = photos[key];
    return `<image id="${id}" href="${escapeXml(href)}" width="${width}" height="${height}" preserveAspectRatio="none"/>`;
  });
  return `<svg class="store" width="0" height="0" aria-hidden="true"><defs>${defined.join("\n")}</defs></svg>
${sections.join("\n")}`;
}

/** Key of the colours, for the head of the chapter. */
export const LINE_KEY = `<p class="key"><span><i class="line right"></i>right within 3 px</span> <span><i class="line wrong"></i>wrong</span></p>`;

interface Place {
  photos: Gallery["photos"];
  ids: ReadonlyMap<string, string>;
}

/** Both photographs at one height with the lines between them. */
function pairFigure(pair: PairPicture, place: Place): string {
  const { matches, right, which } = pair;
  const said =
    matches > 0 ? `${count(right)} of ${count(matches)} matches right (${decimals(right / matches, 3)})` : "no matches";
  const drawn = pair.isRight.length < matches && pair.isRight.length > 0 ? `, ${pair.isRight.length} drawn` : "";
  const caption = `<b>${escapeXml(runName(pair))}</b>, ${WHICH[which]} ${pairName(pair.images)}: ${said}${drawn}`;
  return `<figure class="pair">${pairSvg(pair, place, said)}<figcaption>${caption}</figcaption></figure>`;
}

function pairSvg(pair: PairPicture, { photos, ids }: Place, said: string): string {
  const [a, b] = pair.photos.map((key) => photos[key]);
  const aspects = [a.width / a.height, b.width / b.height];
  const height = Math.min(MAX_HEIGHT, (WIDTH - GAP) / (aspects[0] + aspects[1]));
  const lefts = [0, height * aspects[0] + GAP];
  const width = lefts[1] + height * aspects[1];
  const label = `Matches of ${runName(pair)} between images ${pairName(pair.images)} of ${pair.sequence}: ${said}.`;
  const paths = linePaths(pair, [
    { left: lefts[0], scale: height / a.height },
    { left: lefts[1], scale: height / b.height },
  ]);
  return `<svg role="img" aria-label="${escapeXml(label)}" viewBox="0 0 ${round(width)} ${round(height)}">
${[a, b].map((photo, k) => photoSvg(photo, ids.get(pair.photos[k])!, lefts[k], height)).join("\n")}
${stroke(paths.wrong, PALETTE.outlier, 1.4, ` stroke-dasharray="6 4"`)}${stroke(paths.right, PALETTE.inlier, 1.6, "")}</svg>`;
}

function photoSvg({ width, height }: Photo, id: string, left: number, tall: number): string {
  const across = round((tall * width) / height);
  return `<svg x="${round(left)}" width="${across}" height="${round(tall)}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none"><use href="#${id}"/></svg>`;
}

/** Right and wrong lines as one path each; pixel centres lie on integers. Points that are not finite are left out. */
function linePaths({ lines, isRight }: PairPicture, [a, b]: readonly { left: number; scale: number }[]) {
  const paths = { right: "", wrong: "" };
  for (let m = 0; m < isRight.length; m++) {
    const ends = [
      a.left + (lines[4 * m] + 0.5) * a.scale,
      (lines[4 * m + 1] + 0.5) * a.scale,
      b.left + (lines[4 * m + 2] + 0.5) * b.scale,
      (lines[4 * m + 3] + 0.5) * b.scale,
    ];
    if (!ends.every(Number.isFinite)) continue;
    const [x0, y0, x1, y1] = ends.map(round);
    paths[isRight[m] ? "right" : "wrong"] += `M${x0} ${y0}L${x1} ${y1}`;
  }
  return paths;
}

/** A path over a darker one, which sets it off from light images. */
function stroke(path: string, colour: string, width: number, attributes: string): string {
  if (path === "") return "";
  return `<g fill="none"${attributes}><path d="${path}" stroke="${PALETTE.casing}" stroke-opacity="0.35" stroke-width="${width + 1.4}"/><path d="${path}" stroke="${colour}" stroke-width="${width}"/></g>`;
}

function mapsFigure({ method, sequence, image, photo, maps, note }: ScoreMaps, { photos, ids }: Place): string {
  const { width, height } = photos[photo];
  const own = `<div><svg role="img" aria-label="${escapeXml(`Image ${image} of ${sequence}`)}" viewBox="0 0 ${width} ${height}"><use href="#${ids.get(photo)}"/></svg><span>image ${image}</span></div>`;
  const pictures = maps.map(({ name, href, width: across, height: down }) => {
    const alt = escapeXml(`${name} of ${method} on image ${image} of ${sequence}`);
    return `<div><img${across < CELLS ? ` class="cells"` : ""} src="${escapeXml(href)}" width="${across}" height="${down}" alt="${alt}"><span>${escapeXml(name)}</span></div>`;
  });
  return `<figure class="maps"><div>${[own, ...pictures].join("\n")}</div><figcaption><b>${escapeXml(method)}</b>: ${escapeXml(note)}</figcaption></figure>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
