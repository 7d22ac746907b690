/**
 * The OpenCV module inside a plain object. It is itself a promise, and bundlers give the namespace of a CommonJS module
 * the prototype of what it exports: imported dynamically, that namespace has a `then` that cannot be called. A static
 * import is not awaited, so it lives in this file, and `index.ts` imports this file dynamically.
 */
import * as namespace from "@techstark/opencv-js";

/** The default export (Node, bundlers) or, loaded as a plain script module, the global that it sets. */
export const loaded = {
  get opencv(): unknown {
    return (namespace as { default?: unknown }).default ?? (globalThis as { cv?: unknown }).cv;
  },
};
