/** What every index of images can do, wherever its images are kept. */
import type { SearchIndex } from "./search-index.js";

/** An open index: in segments (`openIndex`), or in LanceDB (`openLanceIndex`, Node). */
export type ImageIndex = Pick<
  SearchIndex,
  | "name"
  | "model"
  | "global"
  | "extraction"
  | "info"
  | "vocabulary"
  | "entries"
  | "features"
  | "add"
  | "uncommitted"
  | "remove"
  | "commit"
  | "merge"
  | "refresh"
  | "search"
  | "check"
  | "close"
>;
