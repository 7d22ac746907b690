/** Evaluated right before OpenCV 4.12, whose own evaluation is all that happens in between: see `module.ts`. */
import { noteListeners } from "./process-listeners.js";

export const removeAddedListeners = noteListeners();
