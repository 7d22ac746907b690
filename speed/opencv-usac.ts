/** OpenCV 5's USAC with MAGSAC++ scoring: what our robust estimator is compared with, on the same matches. */
import { loadOpenCv, type OpenCv, withMats } from "../src/bench/opencv/index.js";
import { normalized } from "../src/geometry/matrix3.js";

/** An estimator of homographies: points of both images (x0, y0, …) and a seed in, a matrix or null out. */
export type Usac = (a: Float32Array, b: Float32Array, seed: number) => Float64Array | null;

/** USAC as `cv.findHomography` runs it, with the threshold, confidence and most samples that ours has by default. */
export async function openUsac(): Promise<Usac> {
  const cv = await loadOpenCv();
  return (a, b, seed) => find(cv, a, b, seed);
}

function find(cv: OpenCv, from: Float32Array, to: Float32Array, seed: number): Float64Array | null {
  return withMats((keep) => {
    const [a, b] = [from, to].map((points) => {
      const mat = keep(new cv.Mat(points.length / 2, 1, cv.CV_32FC2));
      mat.data32F.set(points);
      return mat;
    });
    const params = keep(new cv.UsacParams());
    params.confidence = 0.9999;
    params.maxIterations = 10_000;
    params.threshold = 3;
    params.randomGeneratorState = seed;
    params.loMethod = cv.LOCAL_OPTIM_SIGMA;
    params.score = cv.SCORE_METHOD_MAGSAC;
    try {
      return normalized(keep(cv.findHomography1(a, b, keep(new cv.Mat()), params)).data64F);
    } catch (error) {
      // A C++ exception arrives as its address: OpenCV refuses the points, so there is no homography in them.
      if (typeof error === "number") return null;
      throw error;
    }
  });
}
