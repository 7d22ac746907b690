/**
 * Names of files that become others by renaming: .NAME.OWNER.RANDOM.tmp, in the same folder. They name their process, so that
 * what a killed one has left goes when the next one writes into the folder.
 */
import { randomBytes } from "node:crypto";
import { opendir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isGone, ownerName } from "./owner.js";

/** A folder takes names of this many bytes, whatever its file system. */
const SAFE_LENGTH = 64;

const LEFT_OVER = /^\..*\.(\d+(?:-[0-9a-f]{6}-[0-9a-f]{6})?)\.[0-9a-f]{8,16}\.tmp$/s;

/** Folders that this process has looked into. */
const swept = new Map<string, Promise<void>>();

/** A name beside `path` that nobody has, no longer than that of `path` unless that one is short. */
export async function temporaryFor(path: string): Promise<string> {
  const folder = dirname(path);
  let sweeping = swept.get(folder);
  if (!sweeping) {
    sweeping = sweep(folder);
    swept.set(folder, sweeping);
  }
  await sweeping;
  const ending = `.${await ownerName()}.${randomBytes(4).toString("hex")}.tmp`;
  const room = Math.max(Buffer.byteLength(basename(path)), SAFE_LENGTH) - 1 - ending.length;
  return join(folder, `.${cut(basename(path), room)}${ending}`);
}

/** The beginning of `name`, of whole characters, in at most `bytes` bytes of UTF-8. */
function cut(name: string, bytes: number): string {
  let short = "";
  let length = 0;
  for (const character of name) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    short += character;
  }
  return short;
}

/** Removes what processes that are gone have left in the folder. What cannot be looked at or removed stays. */
async function sweep(folder: string): Promise<void> {
  try {
    for await (const { name } of await opendir(folder)) {
      const owner = LEFT_OVER.exec(name)?.[1];
      if (owner === undefined || !(await isGone(owner, join(folder, name)))) continue;
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
    }
  } catch {
    // Writing will say what is wrong with the folder.
  }
}
