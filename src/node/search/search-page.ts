/** The page of `strata search --html`: the query, and each result with the matches drawn. */
import { basename } from "node:path";
import { checkList, checkObject, checkText } from "../../check.js";
import { escapeXml } from "../../escape.js";
import { checkFeatures, type FloatFeatures } from "../../features.js";
import { checkImage, type Image } from "../../image/image.js";
import { reportPage } from "../../report/document.js";
import type { SearchResult } from "../../search/search-options.js";
import { checkPath, writeFileAtomic } from "../atomic.js";
import { loadImage } from "../images.js";
import { drawnMatches, embedded, PAGE_STYLE } from "./page-images.js";

/** What the page shows. */
export interface SearchPage {
  /** Path of the query. */
  query: string;
  image: Image;
  features: FloatFeatures;
  results: readonly SearchResult[];
}

const EDGE = 800;

/** Writes the page; images of the index are read from the paths that their ids are. */
export async function saveSearchPage(path: string, page: SearchPage): Promise<void> {
  const where = "saveSearchPage";
  checkPath(where, path);
  checkObject(where, "the page", page);
  const { query, image, features, results } = page;
  checkText(where, "query", query);
  checkImage(where, image);
  checkFeatures(where, features);
  for (const one of checkList(where, "results", results)) {
    checkText(where, "id of a result", checkObject(where, "a result", one).id);
  }
  const own = await embedded(image, basename(query), EDGE);
  const chapters = [];
  for (const [i, result] of results.entries()) {
    chapters.push({
      id: `r${i + 1}`,
      title: escapeXml(`${i + 1}. ${basename(result.id)}`),
      body: await resultBody(result, own),
    });
  }
  const found = results.filter((one) => one.found).length;
  await writeFileAtomic(
    path,
    reportPage({
      title: `${basename(query)}: ${found === 0 ? "nothing found" : `${found} found`}`,
      subtitle: `${query}, ${image.width}×${image.height}, ${features.count} keypoints`,
      notes: [],
      chapters: [
        { id: "query", title: "Query", body: `<figure><img src="${own.href}" alt="the query"></figure>` },
        ...chapters,
      ],
      style: PAGE_STYLE,
    }),
  );
}

async function resultBody(result: SearchResult, query: Awaited<ReturnType<typeof embedded>>): Promise<string> {
  const { id, found, probability, inliers, score, geometry, points } = result;
  const facts = `<p>${found ? "<b>found</b>" : "not found"}: probability ${probability.toFixed(2)}, ${inliers} inliers, score ${score.toFixed(3)}; <bdi>${escapeXml(id)}</bdi></p>`;
  let image: Image;
  try {
    image = await loadImage(id, { onWarning: () => {} });
  } catch (error) {
    return `${facts}<p>The image cannot be shown: ${escapeXml((error as Error).message)}</p>`;
  }
  const other = await embedded(image, basename(id), EDGE);
  const src = geometry && points ? drawnMatches(other, query, points, geometry.matrix) : other.href;
  return `${facts}<figure><img src="${src}" alt="${escapeXml(basename(id))}"></figure>`;
}
