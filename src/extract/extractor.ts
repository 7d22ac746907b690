/** What every extractor offers, whichever model is inside. */
import type { FloatFeatures } from "../features.js";
import type { SessionInfo } from "../graph/session.js";
import type { Image } from "../image/image.js";
import type { ExtractOptions } from "./options.js";

/** What an extractor says of its model and runtime. */
export interface ExtractorInfo {
  /** Name of the model, e.g. "strata-s". */
  model: string;
  /** SHA-256 of the weights, hexadecimal. */
  sha256: string;
  /** Length of a descriptor. */
  dim: number;
  /** The model's weights for a verdict on matched images, where it has any; for parseVerdictModel. */
  verdict?: Record<string, unknown>;
  /**
   * Whether the graph was opened as it was prepared when strata was built, or traced; `reason`: why a prepared one was
   * not used; `kept`: the file of one that was traced in an earlier run. There once the first image has been extracted.
   */
  graph?: { prepared: boolean; reason?: string; kept?: string };
  /** Runtime and backend; there once the first image has been extracted. */
  session?: SessionInfo;
}

/** A model, ready for images. */
export interface Extractor {
  readonly info: ExtractorInfo;
  /** Every option in force, defaults included. */
  readonly options: ExtractOptions;
  /** Features of one image of any size, best score first. */
  extract(image: Image): Promise<FloatFeatures>;
  /** Features of several images, in their order. */
  extractBatch(images: readonly Image[]): Promise<FloatFeatures[]>;
  /** Frees native memory; a second call does nothing. */
  dispose(): Promise<void>;
}

/** What people are told of how an extractor runs, once: another backend than asked for, a prepared graph that does not fit. */
export function sessionNotes({ session, graph }: ExtractorInfo): string[] {
  return [session?.fallback, graph?.reason].filter((note) => note !== undefined);
}
