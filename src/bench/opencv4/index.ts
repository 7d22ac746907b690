/** A second OpenCV, 4.12, for AKAZE, which 5 has dropped from its main modules: a baseline of the benchmark alone. */
import { type Feature2D, type OpenCvImages, once, openPeer } from "../opencv/index.js";

/** OpenCV 4.12, for what 5 has dropped from its main modules. */
export interface OpenCv4 extends OpenCvImages {
  AKAZE: new () => Feature2D;
}

/** OpenCV 4.12 beside 5: 11 MB of script more, so only for what needs it. */
export const loadOpenCv4: () => Promise<OpenCv4> = once(() =>
  openPeer<OpenCv4>("opencv-js-4", () => import("./module.js")),
);
