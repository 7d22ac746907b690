/** The extractor that all views share: opened when it is needed, kept as long as its settings stay. */
import {
  type Extractor,
  type FloatFeatures,
  type Image,
  type ModelProgress,
  openExtractor,
  type WebExtractor,
} from "../../src/web/index.js";
import { controlled } from "./offline.js";
import type { Settings } from "./settings.js";

type EngineSettings = Pick<Settings, "model" | "backend" | "count">;

interface Opened {
  key: string;
  extractor: Promise<WebExtractor>;
  /** Features that were found before, by image: a slider that is moved asks for none again. */
  found: Map<Image, Promise<FloatFeatures>>;
}

let opened: Opened | undefined;

/** Features of so many images are kept. */
const KEPT = 4;

/**
 * The extractor for these settings, which finds features of an image once. The one before is disposed of when others are
 * asked for. A failure is forgotten, so that the next call tries again.
 */
export async function engine(
  settings: EngineSettings,
  onProgress: (progress: ModelProgress) => void,
): Promise<Extractor> {
  const { model, backend, count } = settings;
  const key = JSON.stringify([model, backend, count]);
  if (opened?.key !== key) {
    const before = opened;
    const extractor = controlled.then(() => openExtractor({ model, backend, maxFeatures: count, onProgress }));
    opened = { key, extractor, found: new Map() };
    extractor.catch(() => {
      if (opened?.key === key) opened = undefined;
    });
    before?.extractor.then((old) => old.dispose()).catch(() => {});
  }
  const { extractor, found } = opened as Opened;
  const own = await extractor;
  return Object.create(own, {
    extract: {
      value(image: Image): Promise<FloatFeatures> {
        const known = found.get(image);
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

/** What the open extractor says of itself, where there is one. */
export async function engineInfo(): Promise<WebExtractor["info"] | null> {
  const own = await opened?.extractor.catch(() => undefined);
  return own?.info ?? null;
}

/** "opening strata-s: 0.4 of 0.7 MB". */
export function describeProgress(model: string, { loaded, total }: ModelProgress): string {
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `opening ${model}: ${mb(loaded)}${total ? ` of ${mb(total)}` : ""} MB`;
}
