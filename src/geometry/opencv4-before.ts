/** Evaluated right before OpenCV 4.12, whose own evaluation is all that happens in between: see `opencv4-module.ts`. */
import { noteListeners } from "./process-listeners.js";

export const removeAddedListeners = noteListeners();
