/** `strata search INDEX QUERY`: which images of an index a picture shows. */
import { checkWritable } from "../../node/folders.js";
import { refuseOverwriting } from "../../node/overwriting.js";
import { openIndexAt } from "../../node/search/index-place.js";
import { openQueryExtractor } from "../../node/search/photo-index.js";
import { saveSearchPage } from "../../node/search/search-page.js";
import { plural } from "../../plural.js";
import { searchImage, searchVerdict } from "../../search/search-image.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";

export interface SearchFlags extends ExtractionFlags {
  top: number;
  region?: [number, number, number, number];
  verify?: number;
  global?: string;
  html?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function searchCommand(
  folder: string,
  query: string,
  flags: SearchFlags,
  context: Context,
): Promise<number> {
  const { html, quiet = false, top, region, verify } = flags;
  if (html !== undefined) {
    await refuseOverwriting([query], [html]);
    await checkWritable([html]);
  }
  const index = await openIndexAt(folder);
  try {
    const { loadImage } = await import("../../node/images.js");
    const onWarning = (message: string) => {
      if (!quiet) context.err(`strata: warning: ${message}\n`);
    };
    const image = await loadImage(query, { ...imageOptions(flags), onWarning });
    const extractor = await openQueryExtractor(index, openOptions(flags), context.engine.openExtractor, flags.global);
    try {
      const started = performance.now();
      const verdict = searchVerdict(extractor) ?? undefined;
      const report = await searchImage(index, extractor, image, {
        ...{ top, region, verdict, points: html !== undefined },
        ...(verify !== undefined && { verify }),
      });
      const seconds = { ...report.seconds, total: (performance.now() - started) / 1000 };
      for (const { error } of report.damaged) context.err(`strata: warning: left out: ${error.message}\n`);
      if (html !== undefined)
        await saveSearchPage(html, { query, image, results: report.results, features: report.features });
      const results = report.results.map(({ points: _, ...result }) => result);
      if (flags.json) {
        const { images, model } = index.info();
        const damaged = report.damaged.map(({ file, error }) => ({ file, message: error.message }));
        const info = { index: folder, images, model: model.name, verified: report.verified, damaged, seconds };
        context.out(`${JSON.stringify({ query, keypoints: report.features.count, results, ...info })}\n`);
      } else if (!quiet) {
        for (const { id, found, probability, inliers, score } of results) {
          const sure = probability > 0 ? `, probability ${probability.toFixed(2)}, ${plural(inliers, "inlier")}` : "";
          context.out(`${found ? "found" : "     "}  ${id}  score ${score.toFixed(3)}${sure}\n`);
        }
        const count = results.filter(({ found }) => found).length;
        const summary =
          report.features.count === 0
            ? "no keypoints in the query; nothing found"
            : count === 0
              ? "nothing found"
              : `${plural(count, "image")} found`;
        context.out(`${summary} among ${index.info().images} in ${seconds.total.toFixed(2)} s\n`);
        if (html !== undefined) context.out(`written: ${html}\n`);
      }
      return report.damaged.length > 0 ? EXIT.failed : EXIT.ok;
    } finally {
      await extractor.dispose();
    }
  } finally {
    await index.close();
  }
}
