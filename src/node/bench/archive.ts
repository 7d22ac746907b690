/**
 * The archive of a data set: found on the disk or fetched, its SHA-256 known, and compared with one that is given or
 * lies beside it (ARCHIVE.sha256, as sha256sum writes it).
 */
import { stat } from "node:fs/promises";
import { FormatError, IoError } from "../../errors.js";
import { readFileChecked } from "../atomic.js";
import { checkSha256, downloadFile, downloadText, hashFile } from "../download.js";
import { checkUrl, shownAddress } from "../http.js";

/** Most bytes of an archive, of which nobody says how many it has. */
const MAX_ARCHIVE = 16 * 2 ** 30;

/** Where the archive comes from and what it is compared with. */
export interface ArchiveOptions {
  /** The archive's file, instead of one to fetch. */
  archive?: string;
  /** Its SHA-256, 64 hexadecimal digits. */
  sha256?: string;
  /** Whether checksums beside the archive are looked for; default true. */
  verify?: boolean;
}

/** How a download tells where it is, and is stopped. */
export interface DownloadWatch {
  /** Hears what begins and what is worth knowing, a line each. */
  note?(line: string): unknown;
  onProgress?(progress: ArchiveProgress): void;
  /** Aborting keeps what has arrived; the same call goes on from there. */
  signal?: AbortSignal;
}

/** How far a download and its unpacking are. */
export interface ArchiveProgress {
  stage: "fetch" | "unpack";
  /** Bytes fetched or unpacked, of how many (null: nobody says), and how many of them in this run. */
  done: number;
  total: number | null;
  worked: number;
}

/**
 * The checksum of the archive `options.archive`, or of `archive` after it was fetched from `address` where it was not
 * there, and by what it was checked (null: nothing). FormatError when it is another than expected.
 */
export async function fetchArchive(
  archive: string,
  address: string,
  options: ArchiveOptions,
  { note = () => {}, onProgress = () => {}, signal }: DownloadWatch,
): Promise<{ sha256: string; verifiedBy: string | null }> {
  const local = options.archive !== undefined;
  const url = local ? null : checkUrl("bench download", address);
  const given =
    options.sha256 === undefined ? null : { sha256: checkSha256("--sha256", options.sha256), by: "--sha256" };
  const found = given ?? ((options.verify ?? true) ? await findChecksum(archive, url, signal) : null);

  const there = await stat(archive).catch(() => undefined);
  if (url && !there) {
    note(`fetching ${shownAddress(url)}`);
    if (!found && url.protocol === "http:") note("note: neither the connection is protected nor a checksum known");
    const done = await downloadFile({
      url: url.href,
      path: archive,
      sha256: found?.sha256,
      maxBytes: MAX_ARCHIVE,
      onProgress: ({ received, total, arrived }) =>
        onProgress({ stage: "fetch", done: received, total, worked: arrived }),
      signal,
    });
    return { sha256: done.sha256, verifiedBy: found?.by ?? null };
  }
  if (url) note(`${archive} is there and is used; remove it to have it fetched again`);
  const { sha256 } = await hashFile(archive);
  if (found && found.sha256 !== sha256) {
    throw new FormatError(`${archive}: expected SHA-256 ${found.sha256} (${found.by}), it has ${sha256}; not unpacked`);
  }
  return { sha256, verifiedBy: found?.by ?? null };
}

/** A checksum that lies beside the archive, on the disk or on the server, as sha256sum writes it. */
async function findChecksum(
  archive: string,
  url: URL | null,
  signal: AbortSignal | undefined,
): Promise<{ sha256: string; by: string } | null> {
  const file = `${archive}.sha256`;
  const read = await readFileChecked(file, { limit: 4096 }).catch(() => undefined);
  if (read) {
    const sha256 = firstHash(new TextDecoder().decode(read));
    // Somebody put it there to be checked.
    if (sha256 === null) throw new FormatError(`${file}: expected a SHA-256 (64 hexadecimal digits) at its beginning`);
    return { sha256, by: file };
  }
  if (!url) return null;
  const beside = new URL(url);
  beside.pathname += ".sha256";
  const text = await downloadText(beside.href, { limit: 4096, signal }).catch((error: unknown) => {
    if (error instanceof IoError) return null;
    throw error;
  });
  // A server may answer with a page of its own where there is no such file.
  const sha256 = text === null ? null : firstHash(text);
  return sha256 === null ? null : { sha256, by: shownAddress(beside) };
}

function firstHash(text: string): string | null {
  return /^\s*([0-9a-f]{64})\b/i.exec(text)?.[1].toLowerCase() ?? null;
}
