/** An index in a folder. */
import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { IoError } from "../../errors.js";
import type { IndexStore } from "../../search/store.js";
import { checkPath, ioError, writeFileAtomic } from "../atomic.js";
import { FileSource } from "../file-source.js";
import { makeFolder } from "../folders.js";
import { lockPath, takeLock } from "../lock.js";

/** The index in a folder, which is made when something is written. */
export function folderStore(folder: string): IndexStore {
  checkPath("folderStore", folder);
  return {
    name: folder,
    async open(file) {
      const info = await stat(folder).catch(() => null);
      if (info && !info.isDirectory()) throw new IoError(`${folder} is a file; an index is a folder`);
      const path = join(folder, file);
      return existsSync(path) ? new FileSource(path) : null;
    },
    async write(file, content) {
      await makeFolder(folder);
      await writeFileAtomic(join(folder, file), content);
    },
    async remove(file) {
      const path = join(folder, file);
      await rm(path, { force: true }).catch((cause) => {
        throw ioError("remove", path, cause);
      });
    },
    list: () =>
      readdir(folder).catch((cause) => {
        throw ioError("read", folder, cause);
      }),
    async lock() {
      await makeFolder(folder).catch((cause) => {
        throw ioError("write into", folder, cause);
      });
      return takeLock(lockPath(folder), `the index ${folder}`);
    },
  };
}
