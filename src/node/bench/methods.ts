/**
 * What is measured: a model, OpenCV's ORB or AKAZE, or features that others have made. A specification is plain data,
 * so that a job in another process can open the same method; a plan adds what makes its results its own (checksum,
 * options, versions) and the protocols under which it is scored.
 */

import { createHash } from "node:crypto";
import { BASELINE_NAMES, type BaselineName, openBaseline } from "../../bench/baselines.js";
import { checkObject, checkText } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Features } from "../../features.js";
import { canonicalJson } from "../../formats/record.js";
import type { Image } from "../../image/image.js";
import { readFileChecked } from "../atomic.js";
import type { OpenOptions } from "../extractor.js";
import { checkExtension, digestFiles, featureFiles, hlocFile } from "./feature-files.js";
import type { SequenceImage, Sequences } from "./sequences.js";

/** What a method is, as --method names it. */
export type MethodSpec =
  | { kind: "model"; options: OpenOptions }
  | { kind: "baseline"; baseline: BaselineName; maxFeatures: number | null }
  | { kind: "files"; extension: string }
  | { kind: "h5"; path: string };

/** Whether its best keypoints are taken all over the image (the option `spread`). */
export const isSpread = (spec: MethodSpec): boolean => spec.kind === "model" && (spec.options.spread ?? false);

/** How many keypoints count: "own" (what the method gives by itself) or "top-K". */
export interface Protocol {
  name: string;
  /** The best this many; null: all. */
  limit: number | null;
  /** Left out where no image has more keypoints: it would be "own" again. */
  optional?: boolean;
}

/** A method, opened for a benchmark. */
export interface MethodPlan {
  spec: MethodSpec;
  name: string;
  /** SHA-256 of the weights. */
  model: string | null;
  options: Record<string, unknown>;
  versions: Record<string, string>;
  /** Names the features: whatever changes them changes it. */
  key: string;
  protocols: Protocol[];
}

export interface PlanOptions {
  data: Sequences;
  /** Limits of the "top-K" protocols; null: 2000, where that is not the method's own limit anyway. */
  limits: readonly number[] | null;
  /** Versions of everything that features depend on. */
  versions: Record<string, string>;
  /** Whether images are turned as their EXIF orientation says. */
  orientation: boolean;
  openExtractor: OpenExtractor;
}

export type OpenExtractor = (options: OpenOptions) => Promise<Extractor>;

/** Keypoints of the default "top-K" protocol, the number that peers are measured with. */
const DEFAULT_LIMIT = 2000;

/** "orb", "akaze", "files:.EXT", "h5:PATH", or a model's name or path with the options that models share. */
export function parseMethod(text: string, shared: OpenOptions): MethodSpec {
  checkText("parseMethod", "the method", text);
  checkObject("parseMethod", "the shared options", shared);
  if (text.startsWith("files:")) return { kind: "files", extension: checkExtension(text.slice(6)) };
  if (text.startsWith("h5:")) {
    if (text.length === 3) throw new OptionError("--method h5:PATH needs the path of an HDF5 file");
    return { kind: "h5", path: text.slice(3) };
  }
  const baseline = BASELINE_NAMES.find((name) => name === text.toLowerCase());
  if (baseline) return { kind: "baseline", baseline, maxFeatures: null };
  if (text.trim() === "") throw new OptionError("--method needs a model, orb, akaze, files:.EXT or h5:PATH");
  return { kind: "model", options: { ...shared, model: text } };
}

/**
 * The plans of a method. A model is asked for as many keypoints as its largest protocol needs and "own" is cut from
 * them, for its keypoints come in one order. ORB spreads its number over the scales, so a larger number than its own is
 * a plan of its own.
 */
export async function planMethod(spec: MethodSpec, options: PlanOptions): Promise<MethodPlan[]> {
  const { data, limits, versions, orientation } = options;
  const plan = (made: Omit<MethodPlan, "key" | "versions"> & { versions?: Record<string, string> }): MethodPlan => {
    const all = { ...versions, ...made.versions };
    const { name, model, options: own } = made;
    return {
      ...made,
      versions: all,
      key: keyOf(name, { name, model, options: own, versions: all, data: data.digest }),
    };
  };
  switch (spec.kind) {
    case "model": {
      const first = await describe(spec.options, options.openExtractor);
      const own = first.options.maxFeatures;
      const protocols = protocolsOf(own, limits);
      const most = own === null ? null : Math.max(own, ...protocols.map(({ limit }) => limit ?? 0));
      const raised = most === own ? spec.options : { ...spec.options, maxFeatures: most };
      const { info, options: used } = most === own ? first : await describe(raised, options.openExtractor);
      // Paths and threads do not change features; what a path leads to is in the checksum.
      const { model: _, attentionCkpt: __, threads: ___, runtime: ____, ...settings } = raised;
      return [
        plan({
          spec: { kind: "model", options: raised },
          name: info.model,
          model: info.sha256,
          options: { ...settings, ...used, orientation },
          protocols,
        }),
      ];
    }
    case "baseline": {
      const planned = async (
        maxFeatures: number | null,
        wanted: Protocol[] | null,
      ): Promise<[MethodPlan, number | null]> => {
        const opened = await openBaseline(spec.baseline, maxFeatures === null ? {} : { maxFeatures });
        opened.dispose();
        const own = limitOf(opened.options);
        const made = plan({
          spec: { ...spec, maxFeatures },
          name: opened.name,
          model: null,
          options: { ...opened.options, orientation },
          versions: { detector: `OpenCV ${opened.versions.opencv}` },
          protocols: wanted ?? protocolsOf(own, limits),
        });
        return [made, own];
      };
      const [first, own] = await planned(spec.maxFeatures, null);
      const isCut = ({ limit }: Protocol) => own === null || limit === null || limit <= own;
      const plans: MethodPlan[] = [{ ...first, protocols: first.protocols.filter(isCut) }];
      for (const protocol of first.protocols.filter((each) => !isCut(each))) {
        plans.push((await planned(protocol.limit, [protocol]))[0]);
      }
      return plans;
    }
    case "files":
    case "h5": {
      const files =
        spec.kind === "files"
          ? await digestFiles(spec.extension, data)
          : createHash("sha256")
              .update(await readFileChecked(spec.path))
              .digest("hex");
      const name = spec.kind === "files" ? spec.extension : spec.path.replace(/^.*[\\/]/, "").replace(/\.h(df)?5$/, "");
      return [plan({ spec, name, model: null, options: { files }, protocols: protocolsOf(null, limits) })];
    }
  }
}

/** "own" and the "top-K" beside it; 2000 unasked, unless the method never has more. */
export function protocolsOf(own: number | null, limits: readonly number[] | null): Protocol[] {
  const top = (limit: number): Protocol => ({ name: `top-${limit}`, limit });
  const wanted = limits ? [...new Set(limits)].map(top) : [{ ...top(DEFAULT_LIMIT), optional: true }];
  const more = wanted.filter(({ limit, optional }) => !(optional && own !== null && own <= (limit ?? 0)));
  return [{ name: "own", limit: own }, ...more];
}

/** A readable name with a hash of everything that matters. */
export function keyOf(name: string, everything: unknown): string {
  const readable = name.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "") || "method";
  const hash = createHash("sha256").update(canonicalJson(everything)).digest("hex");
  return `${readable.slice(0, 60)}-${hash.slice(0, 12)}`;
}

/** Features of images by an opened method. */
export interface OpenMethod {
  /** Whether time and memory are the method's, not a file's. */
  timed: boolean;
  features(image: SequenceImage, load: () => Promise<Image>): Promise<Features>;
  /** Once features were made: why they were made elsewhere than asked for, if so. */
  fallback(): string | undefined;
  dispose(): Promise<void>;
}

/** Opens a method on so many threads. */
export async function openMethod(spec: MethodSpec, threads: number, openExtractor: OpenExtractor): Promise<OpenMethod> {
  switch (spec.kind) {
    case "model": {
      const extractor = await openExtractor({ ...spec.options, threads });
      return {
        timed: true,
        features: async (_, load) => extractor.extract(await load()),
        fallback: () => extractor.info.session?.fallback,
        dispose: () => extractor.dispose(),
      };
    }
    case "baseline": {
      const { baseline, maxFeatures } = spec;
      const opened = await openBaseline(baseline, maxFeatures === null ? {} : { maxFeatures });
      return {
        timed: true,
        features: async (_, load) => opened.extract(await load()),
        fallback: () => undefined,
        dispose: async () => opened.dispose(),
      };
    }
    default: {
      const source = spec.kind === "files" ? featureFiles(spec.extension) : hlocFile(spec.path);
      return {
        timed: false,
        features: (image, load) => source.read(image, load),
        fallback: () => undefined,
        dispose: async () => {},
      };
    }
  }
}

/** What a model says of itself, without running it. */
async function describe(options: OpenOptions, openExtractor: OpenExtractor) {
  const extractor = await openExtractor(options);
  try {
    return { info: extractor.info, options: extractor.options };
  } finally {
    await extractor.dispose();
  }
}

const limitOf = ({ maxFeatures }: Record<string, unknown>): number | null =>
  typeof maxFeatures === "number" ? maxFeatures : null;
