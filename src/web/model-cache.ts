/** What pages keep between visits, in the browser's Cache storage. Where there is none, or it is full, nothing is kept. */

const NAME = "strata-features";

/** A query of ours: the rest of the address stays readable in the browser's tools. */
const MARK = "strata-version";

/** The file kept for an address under a version; undefined where there is none. */
export async function readModelCache(address: string, version: string): Promise<Uint8Array | undefined> {
  return quietly(address, async (cache) => {
    const found = await cache.match(keyOf(address, version));
    return found && new Uint8Array(await found.arrayBuffer());
  });
}

/** Keeps a file; those of the same address under other versions go. */
export async function writeModelCache(address: string, version: string, bytes: Uint8Array): Promise<void> {
  await quietly(address, async (cache) => {
    const key = keyOf(address, version);
    await cache.put(key, new Response(bytes as Uint8Array<ArrayBuffer>));
    const others = (await cache.keys(address, { ignoreSearch: true })).filter(({ url }) => url !== key);
    const older = others.filter(({ url }) => keyOf(url, version) === key);
    await Promise.all(older.map((old) => cache.delete(old)));
  });
}

function keyOf(address: string, version: string): string {
  const url = new URL(address);
  url.searchParams.set(MARK, version);
  return url.href;
}

/**
 * Cache storage is a courtesy: insecure pages have none, private windows and full disks refuse, and it takes no addresses
 * but those of servers.
 */
async function quietly<T>(address: string, work: (cache: Cache) => Promise<T>): Promise<T | undefined> {
  if (typeof caches === "undefined" || !/^https?:/.test(address)) return undefined;
  try {
    return await work(await caches.open(NAME));
  } catch {
    return undefined;
  }
}
