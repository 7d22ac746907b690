/** Checks of what the functions of the search door are given. */
import { checkObject, checkText, wrong } from "../check.js";
import type { Extractor } from "../extract/extractor.js";
import type { ImageIndex } from "./image-index.js";

/** An open index. */
export function checkIndex(where: string, index: unknown): asserts index is ImageIndex {
  if (typeof (index as ImageIndex | null | undefined)?.commit !== "function") {
    throw wrong(where, "the index", "one that openIndex or createIndex gives", index);
  }
}

/** An extractor, or as much of one as is needed. */
export function checkExtractor(where: string, extractor: Pick<Extractor, "extract" | "info">): void {
  if (typeof extractor?.extract !== "function") {
    throw wrong(where, "the extractor", "one that openExtractor gives", extractor);
  }
  checkInfo(where, extractor);
}

/** What says of which model an extractor is. */
export function checkInfo(where: string, extractor: Pick<Extractor, "info">): void {
  checkObject(where, "the extractor", extractor);
  const { model, sha256 } = checkObject(where, "info of the extractor", extractor.info);
  checkText(where, "info.model", model);
  checkText(where, "info.sha256", sha256);
}
