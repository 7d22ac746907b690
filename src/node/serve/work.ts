/** What the service's threads are asked, and what they answer. */

import type { matchJson } from "../../match-report.js";
import type { SearchResult } from "../../search/index.js";
import type { Failure } from "../failure.js";

/** How a thread is opened. */
export interface ThreadSetup {
  folder: string;
  /** The one thread that adds and removes; the others search. */
  isWriter: boolean;
  threads: number;
  /** Most pixels of a picture. */
  pixelLimit: number;
}

/** Work for a thread; bytes are of pictures as they came. */
export type Work =
  | { type: "search"; image: Uint8Array; top: number; region?: [number, number, number, number]; verify?: number }
  | { type: "match"; a: Uint8Array; b: Uint8Array }
  | { type: "add"; image: Uint8Array; id: string }
  | { type: "remove"; id: string };

/** Answers by the type of work. */
export interface Answers {
  search: SearchAnswer;
  match: ReturnType<typeof matchJson>;
  add: AddAnswer;
  remove: { id: string; removed: boolean; images: number };
}

/** What a search found. */
export interface SearchAnswer {
  results: Omit<SearchResult, "points">[];
  keypoints: number;
  /** Images in the index, and candidates whose geometry was verified. */
  images: number;
  verified: number;
  /** Segments that were left out, for they are damaged. */
  damaged: string[];
}

/** An image that is in the index, on the disk. */
export interface AddAnswer {
  id: string;
  keypoints: number;
  /** Whether an image of that id was there. */
  replaced: boolean;
  /** Images in the index now. */
  images: number;
}

export type ToThread = { id: number; work: Work } | "close";
export type FromThread =
  | { type: "open"; images: number; model: string }
  | { type: "failed-open"; failure: Failure }
  | { type: "answer"; id: number; value: unknown }
  | { type: "error"; id: number; failure: Failure };
