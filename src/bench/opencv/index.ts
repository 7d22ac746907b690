/**
 * OpenCV compiled to WebAssembly, for baselines of the benchmark alone (ORB here, AKAZE from OpenCV 4 beside it). It is
 * loaded once, at its first use: 13 MB of script, 0.5 to 0.6 s, about 80 MB of memory.
 *
 * Its objects live in WebAssembly memory, which no garbage collector looks after: `withMats` frees them.
 */
import { checkPeer, checkPeerVersion, type PeerName, peerError } from "../../peers.js";

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

/** A keypoint: position in pixels, strength. */
export interface CvKeyPoint {
  pt: { x: number; y: number };
  response: number;
}

export interface KeyPointVector extends Deletable {
  size(): number;
  get(index: number): CvKeyPoint;
}

/** A detector with its descriptor. */
export interface Feature2D extends Deletable {
  /** Keypoints and descriptors (a row each) of a grey image; an empty mask: the whole image. */
  detectAndCompute(grey: Mat, mask: Mat, keypoints: KeyPointVector, descriptors: Mat): void;
}

export interface Orb extends Feature2D {
  setMaxFeatures(count: number): void;
}

/** Parameters of the robust estimators of OpenCV's USAC framework, with which ours are compared. */
export interface UsacParams extends Deletable {
  confidence: number;
  maxIterations: number;
  /** Seed of the sampler. */
  randomGeneratorState: number;
  threshold: number;
  loMethod: unknown;
  score: unknown;
}

/** What OpenCV 4 and 5 have in common, of what is used here (the published types lack most of it). */
export interface OpenCvImages {
  Mat: {
    new (): Mat;
    new (rows: number, cols: number, type: number): Mat;
  };
  KeyPointVector: new () => KeyPointVector;
  cvtColor(from: Mat, to: Mat, code: number): void;
  /** Text with the version and how it was built. */
  getBuildInformation(): string;
  readonly CV_8UC3: number;
  readonly COLOR_RGB2GRAY: number;
}

/** OpenCV 5. */
export interface OpenCv extends OpenCvImages {
  ORB: new () => Orb;
  UsacParams: new () => UsacParams;
  /** The overload of findHomography that takes UsacParams: the one whose sampler can be seeded. */
  findHomography1(from: Mat, to: Mat, mask: Mat, params: UsacParams): Mat;
  /** Points (two channels) through a 3×3 matrix. */
  perspectiveTransform(from: Mat, to: Mat, matrix: Mat): void;
  readonly CV_32FC2: number;
  readonly CV_64FC1: number;
  readonly CV_64FC2: number;
  readonly LOCAL_OPTIM_INNER_LO: unknown;
  readonly LOCAL_OPTIM_SIGMA: unknown;
  readonly SCORE_METHOD_RANSAC: unknown;
  readonly SCORE_METHOD_MAGSAC: unknown;
}

/** OpenCV, ready to use; every call gives the same instance. A failure is not kept: the next call tries again. */
export const loadOpenCv: () => Promise<OpenCv> = once(() =>
  openPeer<OpenCv>("@techstark/opencv-js", () => import("./module.js")),
);

/** OpenCV's version, of what it says of its build. */
export function versionOf(cv: Pick<OpenCvImages, "getBuildInformation">): string {
  return /OpenCV (\d+\.\d+\.\d+)/.exec(cv.getBuildInformation())?.[1] ?? "unknown";
}

/** OpenCV out of an optional peer. UnsupportedError, with the command that helps, where that is missing or another one. */
export async function openPeer<T extends OpenCvImages>(
  name: PeerName,
  load: () => Promise<{ loaded: { opencv: unknown } }>,
): Promise<T> {
  checkPeer(name);
  const cv = await load()
    .then(({ loaded }) => ready<T>(loaded.opencv))
    .catch((cause: unknown) => {
      throw peerError(name, cause);
    });
  checkPeerVersion(name, versionOf(cv));
  return cv;
}

/** Loads once; a failure is not kept. */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    if (!loading) {
      loading = load();
      loading.catch(() => {
        loading = undefined;
      });
    }
    return loading;
  };
}

/** Waits for the module: a promise of it (5) or the module before it has started (4). */
async function ready<T extends OpenCvImages>(module: unknown): Promise<T> {
  const cv = module instanceof Promise ? ((await module) as unknown) : module;
  if (typeof cv !== "object" || cv === null) throw new Error("it does not export OpenCV");
  if (!("Mat" in cv)) {
    await new Promise<void>((resolve) => {
      Object.assign(cv, { onRuntimeInitialized: resolve });
    });
  }
  // 4's module is a thenable that gives itself: to await it never ends.
  if ("then" in cv) delete cv.then;
  return cv as T;
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
