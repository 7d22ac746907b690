/** Files in folders that are made for them. */
import { basename } from "node:path";
import { writeFileAtomic } from "./atomic.js";
import { makeFolder } from "./folders.js";

/** Writes a file below a folder that is made for it; whole or not at all. */
export async function writeBelow(path: string, content: Uint8Array): Promise<void> {
  await makeFolder(path.slice(0, -basename(path).length) || ".");
  await writeFileAtomic(path, content);
}
