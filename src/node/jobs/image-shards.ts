/** What shards of images have in common: the job's model, opened once; images that are read, or set aside with the reason. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, IoError, OptionError, StrataError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Provenance } from "../../formats/record.js";
import { readFileChecked } from "../atomic.js";
import { type ExtractManyResult, extractMany } from "../extract-many.js";
import { type OpenOptions, openExtractor } from "../extractor.js";
import { loadImage } from "../images.js";
import { type FeatureStore, imageDigest, type NamedImage } from "../stores/store.js";
import { checkModel, ForeignJobError } from "./foreign.js";
import type { ShardKind, ShardWork } from "./kinds.js";
import type { SetAside, SliceImage } from "./plan.js";

/** Options of a job of images: those of `openExtractor` and of `loadImage`. */
export interface ImageJobOptions {
  extract: OpenOptions;
  image: { pixelLimit: number; orientation: boolean };
}

/** The extraction of a shard's images into a store. */
export interface ExtractedShard {
  result: ExtractManyResult;
  setAside: SetAside[];
}

/** Opens the extractor of a job, unless it is open. */
export interface ImageShards {
  extract(work: ShardWork, store: FeatureStore, choices?: Provenance): Promise<ExtractedShard>;
  probe: ShardKind["probe"];
}

export function imageShards(open: (options: OpenOptions) => Promise<Extractor> = openExtractor): ImageShards {
  let opened: { id: string; extractor: Extractor } | undefined;

  async function extractorOf({ plan, threads }: Pick<ShardWork, "plan" | "threads">): Promise<Extractor> {
    if (opened?.id === plan.id) return opened.extractor;
    await opened?.extractor.dispose();
    opened = undefined;
    const { extract } = plan.options as unknown as ImageJobOptions;
    const extractor = await open({ ...extract, threads }).catch((error) => {
      // The model is not here, or is none: it is elsewhere, for the job was made with it.
      if (!(error instanceof OptionError || error instanceof IoError || error instanceof FormatError)) throw error;
      throw new ForeignJobError(
        `this worker cannot open the job's model (${error.message}); the job is left to others`,
      );
    });
    try {
      checkModel(plan, extractor.info.sha256);
    } catch (error) {
      await extractor.dispose();
      throw error;
    }
    opened = { id: plan.id, extractor };
    return extractor;
  }

  return {
    async extract(work, store, choices = {}) {
      const { plan, root, onProgress } = work;
      const { image } = plan.options as unknown as ImageJobOptions;
      await checkRoot(root);
      const slice = work.slice as SliceImage[];
      const left = new Set(work.setAside.map(({ name }) => name));
      const images = slice.filter(({ name }) => !left.has(name)).map(({ name }) => ({ name, path: join(root, name) }));
      const digests = new Map(slice.map(({ name, sha256 }) => [name, sha256]));
      const setAside: SetAside[] = [...work.setAside];
      const names = new Map(images.map(({ path, name }) => [path, name]));
      const result = await extractMany(images, await extractorOf(work), checkedStore(store, digests), {
        ...image,
        choices,
        // A worker of one thread is one core's: with as many workers as cores, the next image's decoding has no core to itself.
        readAhead: work.threads !== 1,
        // The next image may be decoded while the network is at work.
        onProgress({ extracted, skipped, failed }) {
          const done = extracted + skipped + failed;
          onProgress(
            images.slice(done, done + 2).map(({ name }) => name),
            done,
          );
        },
        onFailure: ({ path, error }) => setAside.push(asideOf(names.get(path) as string, error)),
      });
      // By name, whatever the order in which they were found.
      setAside.sort((a, b) => (a.name < b.name ? -1 : 1));
      return { result, setAside };
    },
    async probe(work, name) {
      const { image } = work.plan.options as unknown as ImageJobOptions;
      const extractor = await extractorOf(work);
      try {
        await extractor.extract(await loadImage(join(work.root, name), image));
      } catch (error) {
        // What is an error is none of those that kill.
        if (!(error instanceof StrataError)) throw error;
      }
    },
  };
}

/** ForeignJobError where the images' folder is not there: on this machine all would seem to be missing. */
async function checkRoot(root: string): Promise<void> {
  if ((await stat(root).catch(() => null))?.isDirectory()) return;
  throw new ForeignJobError(
    `the job's images are not here: there is no folder ${root}; --images says where they lie on this machine, else the job is ` +
      "left to others",
  );
}

/** A store that takes only the pictures that the job was made of: a shard's output depends on nothing else. */
function checkedStore(store: FeatureStore, digests: ReadonlyMap<string, string>): FeatureStore {
  return {
    ...store,
    async has(image: NamedImage, digest: string) {
      if (digests.get(image.name) !== digest) {
        throw new FormatError(`${image.path} has changed since the job was made; make another job of it`);
      }
      return store.has(image, digest);
    },
  };
}

function asideOf(name: string, error: unknown): SetAside {
  const { message } = error as Error;
  return { name, code: error instanceof StrataError ? error.code : "E_UNEXPECTED", message };
}

/** Digests of the images of a new job; what cannot be read comes back as set aside. */
export async function digestImages(
  images: readonly NamedImage[],
  onProgress: (done: number) => void = () => {},
): Promise<{ slice: SliceImage[]; unreadable: SetAside[] }> {
  const slice: SliceImage[] = [];
  const unreadable: SetAside[] = [];
  for (const [i, { name, path }] of images.entries()) {
    try {
      slice.push({ name, sha256: imageDigest(await readFileChecked(path)) });
    } catch (error) {
      unreadable.push(asideOf(name, error));
    }
    onProgress(i + 1);
  }
  return { slice, unreadable };
}
