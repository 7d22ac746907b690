/** `strata index train-vocabulary`: the visual words of a model. */

import { OptionError } from "../../errors.js";
import { checkWritable } from "../../node/folders.js";
import { folderImages } from "../../node/search/photo-index.js";
import { saveVocabulary, trainOnPhotos } from "../../node/search/vocabularies.js";
import { plural } from "../../plural.js";
import { INDEX_EXTRACTION, SEARCH_MODEL } from "../../search/search-image.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { openProgress } from "../progress.js";
import { errorText } from "../report-error.js";

export interface TrainVocabularyFlags extends ExtractionFlags {
  out: string;
  words: number;
  keypoints: number;
  iterations: number;
  seed: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** Steps of a progress bar that shows a share. */
const STEPS = 100;

export async function trainVocabularyCommand(
  inputs: string[],
  flags: TrainVocabularyFlags,
  context: Context,
): Promise<number> {
  const { out, words, keypoints, iterations, seed, quiet = false } = flags;
  await checkWritable([out]);
  const { paths, failures } = await folderImages(inputs);
  for (const { error } of failures) context.err(errorText(error, flags.debug ?? false));
  if (paths.length === 0) throw new OptionError(`there are no photographs in ${inputs.join(", ")}`);
  const extraction = { model: SEARCH_MODEL, maxEdge: INDEX_EXTRACTION.maxEdge, ...openOptions(flags) };
  const extractor = await context.engine.openExtractor(extraction);
  const interrupt = context.listenForInterrupt();
  const shown = { terminal: context.terminal, quiet, write: context.err };
  const photos = await openProgress({ total: paths.length, unit: ["photograph", "photographs"], ...shown });
  const training = await openProgress({
    total: STEPS,
    unit: ["%", "%"],
    label: "words: ",
    ...shown,
    quiet: quiet || !context.terminal,
  });
  try {
    const vocabulary = await trainOnPhotos(paths, extractor, {
      ...{ words, keypoints, iterations, seed, signal: interrupt.signal },
      onPhoto: (done) => {
        photos.update(done, done);
        if (done === paths.length) photos.stop();
      },
      onProgress: (share) => training.update(Math.round(STEPS * share), Math.round(STEPS * share)),
      onFailure: ({ path, error }) => {
        failures.push({ path, error });
        photos.log(errorText(error, flags.debug ?? false).trimEnd());
      },
    });
    await saveVocabulary(out, vocabulary);
    training.stop();
    const { model, words: made, cells, digest } = vocabulary;
    if (flags.json)
      context.out(`${JSON.stringify({ out, model, words: made, cells, digest, photographs: paths.length })}\n`);
    else if (!quiet)
      context.out(`${plural(made, "word")} of ${model.name} from ${plural(paths.length, "photograph")}: ${out}\n`);
    return failures.length > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    photos.stop();
    training.stop();
    interrupt.release();
    await extractor.dispose();
  }
}
