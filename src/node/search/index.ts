/** The search door in Node: indexes in folders. Matching runs on onnxruntime-node. */
import { setDefaultRuntime } from "../../graph/session.js";
import { nodeRuntime } from "../runtime.js";

setDefaultRuntime(nodeRuntime);

export * from "../../search/index.js";
export { saveDuplicatesPage } from "./duplicates-page.js";
export { folderStore } from "./folder-store.js";
export { loadGlobalModel } from "./global-models.js";
export { type IndexedImages, type IndexImagesOptions, type IndexProgress, indexImages } from "./index-images.js";
export { createLanceIndex, type LanceOptions, type OpenLanceOptions, openLanceIndex } from "./lance/open-lance.js";
export {
  type FolderImages,
  folderImages,
  openPhotoIndex,
  openQueryExtractor,
  type PhotoIndex,
  type PhotoIndexOptions,
} from "./photo-index.js";
export { type SearchPage, saveSearchPage } from "./search-page.js";
export { saveSearchVerdict } from "./search-verdict.js";
export {
  checkVocabulary,
  loadVocabulary,
  modelVocabulary,
  saveVocabulary,
  type TrainOnPhotosOptions,
  trainOnPhotos,
  VOCABULARY_FILE,
} from "./vocabularies.js";
export { watchFolders } from "./watch-folders.js";
