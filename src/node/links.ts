/** Symbolic links as places to write: what is written goes where they lead, and they stay links. */
import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";

/** As many as Linux follows. */
const MAX_LINKS = 40;

/** Where `path` leads, over links of links and links to what is not there yet; `path` itself where it is no link. */
export async function followLinks(path: string): Promise<string> {
  let at = path;
  for (let step = 0; step < MAX_LINKS; step++) {
    const to = await readlink(at).catch(() => undefined);
    if (to === undefined) return at;
    // Relative to the folder that the link really lies in: ".." of a linked folder is not the one beside that link.
    const folder = await realpath(dirname(at));
    at = isAbsolute(to) ? to : join(folder, dirname(to), basename(to));
  }
  throw Object.assign(new Error(`${path}: too many links`), { code: "ELOOP" });
}
