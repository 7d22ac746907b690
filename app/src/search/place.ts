/**
 * Where the index and its pictures lie: in the browser's own file system, or in memory where the browser keeps nothing. Each
 * index has a folder of its own; the newest whole one counts, so that opening another never costs the one that is there.
 */
import { type IndexStore, memoryStore } from "../../../src/search/index.js";
import { directoryStore } from "../../../src/web/index.js";
import { messageOf } from "../view.js";

/** Small pictures of an index by their ids. */
export interface Pictures {
  read(id: string): Promise<Blob | null>;
  write(id: string, picture: Blob): Promise<void>;
}

/** One index and its pictures. */
export interface Place {
  store: IndexStore;
  pictures: Pictures;
  /** Removes all of it. */
  remove(): Promise<void>;
}

/** Places of a page. */
export interface Places {
  /** Why nothing is kept; null where it is. */
  reason: string | null;
  /** The newest place that has an index, or an empty one. */
  current(): Promise<Place>;
  /** A new, empty one, which becomes the current one once it has an index. */
  fresh(): Promise<Place>;
}

const NAME = "this browser's index";
const FOLDER = /^index-(\d+)$/;

export async function openPlaces(): Promise<Places> {
  try {
    const root = await navigator.storage.getDirectory();
    return folderPlaces(await root.getDirectoryHandle("strata", { create: true }));
  } catch (error) {
    return memoryPlaces(
      `This browser keeps nothing for this page (${messageOf(error)}), as in private windows: the index is gone when the page is closed. Save it as files.`,
    );
  }
}

function folderPlaces(root: FileSystemDirectoryHandle): Places {
  const numbers = async (): Promise<number[]> => {
    const found: number[] = [];
    const names = (root as unknown as { keys(): AsyncIterable<string> }).keys();
    for await (const name of names) if (FOLDER.test(name)) found.push(Number(name.match(FOLDER)?.[1]));
    return found.sort((a, b) => b - a);
  };
  const placeOf = async (number: number): Promise<Place> => {
    const name = `index-${number}`;
    const folder = await root.getDirectoryHandle(name, { create: true });
    const pictures = directoryStore(await folder.getDirectoryHandle("pictures", { create: true }), `${NAME}: pictures`);
    return {
      store: directoryStore(folder, NAME),
      pictures: storedPictures(pictures),
      remove: () => root.removeEntry(name, { recursive: true }),
    };
  };
  const hasIndex = async ({ store }: Place): Promise<boolean> => (await store.open("manifest.json")) !== null;
  return {
    reason: null,
    async current() {
      const all = await numbers();
      for (const number of all) {
        const place = await placeOf(number);
        if (await hasIndex(place)) return place;
        // What was not finished.
        await place.remove();
      }
      return placeOf((all[0] ?? 0) + 1);
    },
    fresh: async () => placeOf(((await numbers())[0] ?? 0) + 1),
  };
}

function memoryPlaces(reason: string): Places {
  const place = (): Place => ({
    store: memoryStore(NAME),
    pictures: storedPictures(memoryStore(`${NAME}: pictures`)),
    remove: async () => undefined,
  });
  return { reason, current: async () => place(), fresh: async () => place() };
}

/** Pictures in files whose names say nothing of what ids may hold. */
function storedPictures(store: IndexStore): Pictures {
  return {
    async read(id) {
      const source = await store.open(await fileOf(id));
      if (!source) return null;
      const bytes = await source.read(0, source.size);
      return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "image/jpeg" });
    },
    async write(id, picture) {
      await store.write(await fileOf(id), new Uint8Array(await picture.arrayBuffer()));
    },
  };
}

async function fileOf(id: string): Promise<string> {
  return `${await digestOf(new TextEncoder().encode(id))}.jpg`;
}

/** 32 hexadecimal digits that stand for the bytes: the first half of their SHA-256, as indexes have it. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
