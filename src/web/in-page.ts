/** An extractor in the page itself: loaded where there is no worker, or none is wanted. */
import { untilAborted } from "../abort.js";
import type { FloatFeatures } from "../features.js";
import type { Image } from "../image/image.js";
import type { ImageSource } from "./images.js";
import { type LocalContext, type LocalOptions, openLocal } from "./local.js";

export async function openInPage(options: LocalOptions, context: LocalContext) {
  const local = await openLocal(options, context);
  return {
    info: local.info,
    options: local.options,
    views: (image: Image) => local.views(image),
    dispose: () => local.dispose(),
    extractBatch: (
      sources: readonly (Image | ImageSource)[],
      { signal }: { signal?: AbortSignal } = {},
    ): Promise<FloatFeatures[]> => untilAborted(local.extractSources(sources, signal), signal),
  };
}
