/** `strata duplicates DIR`: images that show the same, in groups, with the reasons. */
import { checkWritable } from "../../node/folders.js";
import { saveDuplicatesPage } from "../../node/search/duplicates-page.js";
import { indexImages } from "../../node/search/index-images.js";
import { folderImages } from "../../node/search/photo-index.js";
import { checkVocabulary, loadVocabulary, modelVocabulary } from "../../node/search/vocabularies.js";
import { plural } from "../../plural.js";
import { type DuplicateGroup, findDuplicates } from "../../search/duplicates.js";
import { createIndex } from "../../search/open-index.js";
import { INDEX_EXTRACTION, SEARCH_MODEL, searchVerdict } from "../../search/search-image.js";
import { memoryStore } from "../../search/store.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { openProgress } from "../progress.js";
import { errorCode, errorText, plainMessage } from "../report-error.js";

export interface DuplicatesFlags extends ExtractionFlags {
  overlap: number;
  vocabulary?: string;
  html?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function duplicatesCommand(inputs: string[], flags: DuplicatesFlags, context: Context): Promise<number> {
  const { html, overlap, quiet = false } = flags;
  if (html !== undefined) await checkWritable([html]);
  const { paths, failures } = await folderImages(inputs);
  const extraction = { model: SEARCH_MODEL, ...INDEX_EXTRACTION, ...openOptions(flags) };
  const extractor = await context.engine.openExtractor(extraction);
  const interrupt = context.listenForInterrupt();
  const shown = { terminal: context.terminal, quiet, write: context.err };
  try {
    const vocabulary =
      flags.vocabulary === undefined ? await modelVocabulary(extraction.model) : await loadVocabulary(flags.vocabulary);
    checkVocabulary(
      vocabulary,
      { name: extractor.info.model, sha256: extractor.info.sha256 },
      flags.vocabulary ?? extraction.model,
    );
    const index = await createIndex(memoryStore(), { vocabulary, verdict: searchVerdict(extractor) });
    const reading = await openProgress({ total: paths.length, ...shown });
    const done = await indexImages(index, paths, extractor, {
      image: imageOptions(flags),
      signal: interrupt.signal,
      onProgress: ({ added, failed }) => reading.update(added + failed, added + failed),
      onFailure: ({ error }) => reading.log(errorText(error, flags.debug ?? false).trimEnd()),
      onWarning: ({ message }) => !quiet && reading.log(`strata: warning: ${message}`),
    }).finally(() => reading.stop());
    await index.merge();
    const comparing = await openProgress({ total: done.added, label: "compared: ", ...shown });
    const groups = await findDuplicates(index, {
      overlap,
      signal: interrupt.signal,
      onProgress: (compared) => comparing.update(compared, compared),
    }).finally(() => comparing.stop());
    await index.close();
    const failed = [...failures, ...done.failures];
    if (html !== undefined) await saveDuplicatesPage(html, groups, paths.length);
    if (flags.json) {
      const told = failed.map(({ path, error }) => ({ path, code: errorCode(error), message: plainMessage(error) }));
      context.out(`${JSON.stringify({ images: paths.length, groups, failed: told })}\n`);
    } else if (!quiet) {
      context.out(describe(groups, paths.length));
      if (html !== undefined) context.out(`written: ${html}\n`);
    }
    if (failed.length > 0)
      context.err(`strata: ${failed.length} of ${plural(paths.length + failures.length, "image")} failed\n`);
    return failed.length > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    interrupt.release();
    await extractor.dispose();
  }
}

function describe(groups: readonly DuplicateGroup[], images: number): string {
  const lines = groups.flatMap(({ ids, pairs }, i) => [
    `group ${i + 1}: ${plural(ids.length, "image")}`,
    ...pairs.map(
      ({ a, b, reason, inliers }) =>
        `  ${reason.padEnd(9)}  ${a}  ${b}${inliers > 0 ? `  ${plural(inliers, "inlier")}` : ""}`,
    ),
  ]);
  const count = groups.reduce((sum, { ids }) => sum + ids.length, 0);
  return `${[...lines, `${plural(groups.length, "group")}, ${plural(count, "image")} of ${images}`].join("\n")}\n`;
}
