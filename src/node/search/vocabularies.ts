/** Vocabularies in files: the one of a model lies in its folder; one is trained on a folder of photographs. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkText, checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { checkNumber, withDefaults } from "../../options.js";
import { Random } from "../../random.js";
import { checkExtractor } from "../../search/check.js";
import { trainVocabulary, type VocabularyOptions } from "../../search/train-vocabulary.js";
import {
  checkIdentity,
  checkVocabularyArrays,
  readVocabulary,
  type Vocabulary,
  writeVocabulary,
} from "../../search/vocabulary.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { openModelFiles } from "../extractor.js";
import { loadImage } from "../images.js";
import type { ImageFailure } from "../stores/store.js";

/** The vocabulary in a model's folder. */
export const VOCABULARY_FILE = "vocabulary.strata";

/** The vocabulary in a file; FormatError for what is none. */
export async function loadVocabulary(path: string): Promise<Vocabulary> {
  return readVocabulary(await readFileChecked(path), path);
}

/** Writes a vocabulary into a file, whole or not at all. */
export async function saveVocabulary(path: string, vocabulary: Vocabulary): Promise<void> {
  await writeFileAtomic(path, writeVocabulary(vocabulary));
}

/**
 * The vocabulary of a model by its name or path: the one in its folder. An OptionError that says how to train one where there
 * is none, or where it belongs to other weights.
 */
export async function modelVocabulary(model: string): Promise<Vocabulary> {
  checkText("modelVocabulary", "model", model);
  const { opened, path: weights } = await openModelFiles({ model });
  const path = join(dirname(weights), VOCABULARY_FILE);
  const train = `train one: strata index train-vocabulary PHOTOS --model ${model} --out ${VOCABULARY_FILE}, then strata index ... --vocabulary ${VOCABULARY_FILE}`;
  if (!existsSync(path)) throw new OptionError(`the model ${opened.model.name} has no vocabulary; ${train}`);
  const vocabulary = await loadVocabulary(path);
  checkVocabulary(vocabulary, opened.model, path, train);
  return vocabulary;
}

/** An OptionError unless the vocabulary was trained on features of these very weights. */
export function checkVocabulary(
  vocabulary: Vocabulary,
  model: { name: string; sha256: string },
  path: string,
  remedy = "train one with strata index train-vocabulary",
): void {
  checkVocabularyArrays("checkVocabulary", vocabulary);
  checkIdentity("checkVocabulary", model);
  if (vocabulary.model.sha256 === model.sha256) return;
  throw new OptionError(
    `${path}: a vocabulary of ${vocabulary.model.name} (${vocabulary.model.sha256.slice(0, 8)}), not of ${model.name} ` +
      `(${model.sha256.slice(0, 8)}); ${remedy}`,
  );
}

/** How a vocabulary is made of photographs. */
export interface TrainOnPhotosOptions extends Omit<VocabularyOptions, "onProgress"> {
  /** Most keypoints of a photograph, drawn from all of them; default 1000. */
  keypoints?: number;
  /** Called after each photograph. */
  onPhoto?: (done: number) => void;
  /** How much of the training is done, 0 to 1. */
  onProgress?: (share: number) => void;
  /** A photograph that cannot be read. */
  onFailure?: (failure: ImageFailure) => void;
}

/** A vocabulary of the extractor's model from the descriptors of photographs. */
export async function trainOnPhotos(
  paths: readonly string[],
  extractor: Pick<Extractor, "extract" | "info">,
  options: TrainOnPhotosOptions = {},
): Promise<Vocabulary> {
  const where = "trainOnPhotos";
  const { keypoints, onPhoto, onFailure, ...training } = withDefaults<TrainOnPhotosOptions>(
    where,
    {
      ...{ keypoints: 1000, onPhoto: undefined, onProgress: undefined, onFailure: undefined },
      ...{ words: undefined, iterations: undefined, seed: undefined, signal: undefined },
    },
    options,
  );
  checkTexts(where, "paths", paths);
  checkExtractor(where, extractor);
  const most = checkNumber(where, "keypoints", keypoints, { min: 1, integer: true });
  const random = new Random(training.seed ?? 0);
  const rows: Float32Array[] = [];
  for (const [i, path] of paths.entries()) {
    training.signal?.throwIfAborted();
    try {
      const { descriptors, count, dim } = await extractor.extract(await loadImage(path));
      // A drawn part, not the best: words must know the weak keypoints too.
      const chosen = Array.from({ length: count }, (_, k) => [random.uniform(), k] as const)
        .sort(([a], [b]) => a - b)
        .slice(0, most);
      const part = new Float32Array(chosen.length * dim);
      for (const [to, [, k]] of chosen.entries()) part.set(descriptors.subarray(k * dim, (k + 1) * dim), to * dim);
      rows.push(part);
    } catch (error) {
      onFailure?.({ path, error });
    }
    onPhoto?.(i + 1);
  }
  const { model: name, sha256, dim } = extractor.info;
  const descriptors = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  const pictures = new Uint32Array(rows.length + 1);
  let at = 0;
  for (const [i, part] of rows.entries()) {
    descriptors.set(part, at);
    at += part.length;
    pictures[i + 1] = at / dim;
  }
  if (rows.length === 0) throw new OptionError(`${where}: none of ${paths.length} photographs could be read`);
  return trainVocabulary({ name, sha256 }, { descriptors, dim, pictures }, training);
}
