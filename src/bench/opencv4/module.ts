/**
 * OpenCV 4.12 inside a plain object, for the reason that `opencv/module.ts` gives; a file of its own, loaded on demand.
 * The listeners that it puts on Node's process are taken off again. Modules are evaluated in the order of their imports
 * and without a pause, so what came between the first import and this file's own lines was OpenCV's.
 */
import "./before.js";
import * as namespace from "opencv-js-4";
import { removeAddedListeners } from "./before.js";

removeAddedListeners();

export const loaded = {
  get opencv(): unknown {
    return (namespace as { default?: unknown }).default;
  },
};
