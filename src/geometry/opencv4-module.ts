/** OpenCV 4.12 inside a plain object, for the reason that `opencv-module.ts` gives; a file of its own, loaded on demand. */
import * as namespace from "opencv-js-4";

export const loaded = {
  get opencv(): unknown {
    return (namespace as { default?: unknown }).default;
  },
};
