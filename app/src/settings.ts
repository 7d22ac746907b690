/** What a reader can set, read from the address: wrong values become the defaults. */
import { modelNames } from "./own-models.js";

export const BACKENDS = ["auto", "wasm", "webgpu"] as const;
export const GEOMETRIES = ["homography", "auto"] as const;
export const COUNTS = [300, 500, 1000, 2000, 4000] as const;

/** Longest edges at which keypoints are looked for, in pixels; 0: a picture is looked at as it is. */
export const EDGES = [960, 1920, 3840, 0] as const;

export interface Settings {
  model: string;
  backend: (typeof BACKENDS)[number];
  geometry: (typeof GEOMETRIES)[number];
  /** Keypoints of an image. */
  count: number;
  /** Lowe's ratio; 1: none. */
  ratio: number;
  /** One of EDGES. */
  edge: number;
}

export const DEFAULTS: Settings = {
  model: "strata-s",
  backend: "auto",
  geometry: "homography",
  count: 2000,
  ratio: 1,
  edge: 1920,
};

export function readSettings(given: Readonly<Record<string, string>>): Settings {
  const { model, backend, geometry, count, ratio, edge } = given;
  const oneOf = <T>(list: readonly T[], value: T, otherwise: T): T => (list.includes(value) ? value : otherwise);
  const share = Number(ratio);
  return {
    model: oneOf<string>(modelNames(), model, DEFAULTS.model),
    backend: oneOf<string>(BACKENDS, backend, DEFAULTS.backend) as Settings["backend"],
    geometry: oneOf<string>(GEOMETRIES, geometry, DEFAULTS.geometry) as Settings["geometry"],
    count: oneOf<number>(COUNTS, Number(count), DEFAULTS.count),
    ratio: share >= 0.6 && share <= 1 ? share : DEFAULTS.ratio,
    // Compared as text: Number("") is 0, full size.
    edge: Number(oneOf<string>(EDGES.map(String), edge, String(DEFAULTS.edge))),
  };
}
