/** `strata-features/search`: which of many pictures a photograph shows, where in it, and how sure that is. Runs in Node and in pages. */
export { copyIndex } from "./copy-index.js";
export {
  DUPLICATE_REASONS,
  type DuplicateGroup,
  type DuplicateOptions,
  type DuplicatePair,
  type DuplicateReason,
  findDuplicates,
} from "./duplicates.js";
export type { GlobalIdentity, GlobalInput, IndexFeatures } from "./global-identity.js";
export {
  type GlobalExtractor,
  type GlobalModel,
  type GlobalModelOptions,
  openGlobalModel,
  withGlobal,
} from "./global-model.js";
export type { ImageIndex } from "./image-index.js";
export type { IndexInfo } from "./index-info.js";
export type { AddedImage } from "./index-writer.js";
export { INDEX_VERSION } from "./manifest.js";
export { type CreateIndexOptions, createIndex, type OpenIndexOptions, openIndex } from "./open-index.js";
export type { DamagedFile } from "./open-segment.js";
export {
  checkSameModel,
  type ImageSearchReport,
  INDEX_EXTRACTION,
  QUERY_EXTRACTION,
  SEARCH_MODEL,
  type SearchImageOptions,
  searchImage,
  searchVerdict,
} from "./search-image.js";
export { SearchIndex } from "./search-index.js";
export { SEARCH_DEFAULTS, type SearchOptions, type SearchReport, type SearchResult } from "./search-options.js";
export { INDEX_KINDS, type IndexKind } from "./segment-format.js";
export { addressStore, type IndexSource, type IndexStore, memoryStore } from "./store.js";
export { type TrainingDescriptors, trainVocabulary, type VocabularyOptions } from "./train-vocabulary.js";
export type { FoundGeometry, FoundPoints } from "./verify.js";
export {
  isVocabulary,
  type ModelIdentity,
  readVocabulary,
  VOCABULARY_VERSION,
  type Vocabulary,
  writeVocabulary,
} from "./vocabulary.js";
