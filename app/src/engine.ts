/** The extractor that all views share: opened when it is needed, kept as long as its settings stay. */
import type { ExtractOptions, FloatFeatures, Image, ModelProgress, WebExtractor } from "../../src/web/index.js";
import { controlled } from "./offline.js";
import { openNamed } from "./own-models.js";
import type { Settings } from "./settings.js";

export interface EngineSettings extends Pick<Settings, "model" | "backend"> {
  /** Options of extraction; default: the model's own. */
  extraction?: Partial<ExtractOptions>;
}

interface Opened {
  extractor: Promise<WebExtractor>;
  /** Who wants to know how far it has come. */
  told: Set<(progress: ModelProgress) => void>;
  /** Features that were found before, by image: a slider that is moved, or another overlay, asks for none again. */
  found: Map<Image, Promise<FloatFeatures>>;
}

/** By their settings, the one that was asked for last at the end. */
const opened = new Map<string, Opened>();

/** So many extractors are open at most: a search looks at queries and at what it adds in two ways. */
const OPEN = 2;
/** Features of so many images are kept. */
const KEPT = 4;

/**
 * The extractor for these settings, which finds features of an image once. The one that was not asked for longest is disposed
 * of when there are too many. A failure is forgotten, so that the next call tries again.
 */
export async function engine(
  { model, backend, extraction = {} }: EngineSettings,
  onProgress: (progress: ModelProgress) => void,
): Promise<WebExtractor> {
  const key = JSON.stringify([model, backend, extraction]);
  const one = opened.get(key) ?? startOpening(model, { backend, ...extraction });
  const { extractor, told, found } = one;
  opened.delete(key);
  opened.set(key, one);
  for (const [old, one] of opened) {
    if (opened.size <= OPEN) break;
    opened.delete(old);
    one.extractor.then((unused) => unused.dispose()).catch(() => {});
  }
  extractor.catch(() => opened.delete(key));
  told.add(onProgress);
  const own = await extractor.finally(() => told.delete(onProgress));
  return Object.create(own, {
    extract: {
      value(image: Image): Promise<FloatFeatures> {
        // Whoever makes a picture smaller makes a new one each time.
        const known = [...found].find(([old]) => isSame(old, image))?.[1];
        if (known) return known;
        const features = own.extract(image);
        found.set(image, features);
        features.catch(() => found.delete(image));
        for (const old of found.keys()) if (found.size > KEPT) found.delete(old);
        return features;
      },
    },
  });
}

function isSame(a: Image, b: Image): boolean {
  if (a === b) return true;
  if (a.width !== b.width || a.height !== b.height) return false;
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) return false;
  return true;
}

function startOpening(model: string, options: Omit<Parameters<typeof openNamed>[1], "onProgress">): Opened {
  const told: Opened["told"] = new Set();
  const onProgress = (progress: ModelProgress): void => {
    for (const tell of told) tell(progress);
  };
  return { told, extractor: controlled.then(() => openNamed(model, { ...options, onProgress })), found: new Map() };
}

/** "opening strata-s: 0.4 of 0.7 MB". */
export function describeProgress(model: string, { loaded, total }: ModelProgress): string {
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `opening ${model}: ${mb(loaded)}${total ? ` of ${mb(total)}` : ""} MB`;
}
