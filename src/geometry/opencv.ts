/**
 * OpenCV compiled to WebAssembly, loaded once, at its first use: 13 MB of script, 0.5 to 0.6 s, about 80 MB of memory.
 * Whoever knows that it will be needed calls `loadOpenCv()` early and does not wait for it.
 *
 * Its objects live in WebAssembly memory, which no garbage collector looks after: `withMats` frees them.
 */
import { StateError } from "../errors.js";

/** Anything that OpenCV wants to be freed by hand. */
export interface Deletable {
  delete(): void;
}

export interface Mat extends Deletable {
  readonly rows: number;
  readonly cols: number;
  /** Views into WebAssembly memory: copy what must outlive the next call. */
  readonly data: Uint8Array;
  readonly data32F: Float32Array;
  readonly data64F: Float64Array;
}

/** Parameters of the robust estimators of OpenCV's USAC framework. */
export interface UsacParams extends Deletable {
  confidence: number;
  maxIterations: number;
  /** Seed of the sampler. */
  randomGeneratorState: number;
  threshold: number;
  loMethod: unknown;
  score: unknown;
}

/** The part of OpenCV's JavaScript interface that is used here (its published types lack most of it). */
export interface OpenCv {
  Mat: {
    new (): Mat;
    new (rows: number, cols: number, type: number): Mat;
  };
  UsacParams: new () => UsacParams;
  /** The overload of findHomography that takes UsacParams: the one whose sampler can be seeded. */
  findHomography1(from: Mat, to: Mat, mask: Mat, params: UsacParams): Mat;
  readonly CV_32FC2: number;
  readonly LOCAL_OPTIM_INNER_LO: unknown;
  readonly LOCAL_OPTIM_SIGMA: unknown;
  readonly SCORE_METHOD_RANSAC: unknown;
  readonly SCORE_METHOD_MAGSAC: unknown;
}

let loading: Promise<OpenCv> | undefined;

/** OpenCV, ready to use; every call gives the same instance. A failure is not kept: the next call tries again. */
export function loadOpenCv(): Promise<OpenCv> {
  if (!loading) {
    loading = load();
    loading.catch(() => {
      loading = undefined;
    });
  }
  return loading;
}

async function load(): Promise<OpenCv> {
  // A promise of the module or, in older builds, the module before it is ready.
  const { loaded } = await import("./opencv-module.js");
  const cv = await loaded.opencv;
  if (typeof cv !== "object" || cv === null) throw new StateError("@techstark/opencv-js did not export OpenCV");
  if (!("Mat" in cv)) {
    await new Promise<void>((resolve) => {
      Object.assign(cv, { onRuntimeInitialized: resolve });
    });
  }
  return cv as OpenCv;
}

/**
 * Runs `work`, and frees whatever it has given to `keep`, also when it throws:
 * `withMats((keep) => { const mat = keep(new cv.Mat()); … })`.
 */
export function withMats<T>(work: (keep: <D extends Deletable>(object: D) => D) => T): T {
  const kept: Deletable[] = [];
  try {
    return work((object) => {
      kept.push(object);
      return object;
    });
  } finally {
    for (const object of kept.reverse()) object.delete();
  }
}
