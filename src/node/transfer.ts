/**
 * The way of one file from the web into PATH.part: tries, resuming, and the note beside it that says of what file the
 * part is the beginning. Whether the whole file is the right one, `downloadFile` decides.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { FormatError, LimitError } from "../errors.js";
import { ioError, writeFileAtomic } from "./atomic.js";
import { type Answered, request, shownAddress, statusError, TransferError, transferError } from "./http.js";

/** However it goes on, no more requests than this. */
const MAX_TRIES = 1000;
const MAX_WAIT_MS = 30_000;

export interface DownloadProgress {
  /** Bytes on the disk, those of earlier runs included. */
  received: number;
  /** Bytes of the whole file; null where the server does not say. */
  total: number | null;
  /** Bytes that came in this run. */
  arrived: number;
}

export interface DownloadOptions {
  url: string;
  /** Where the file goes; its folder is made. */
  path: string;
  /** Expected SHA-256 in hex. A file at `path` that has it is not fetched again. */
  sha256?: string;
  /** First digits of the expected SHA-256, where no more is known (8 or more of them in hex). */
  sha256Prefix?: string;
  /** Expected length in bytes; not a byte more is kept, whatever the server says of itself. */
  size?: number;
  /** Most bytes where the length is not known; default: no limit. */
  maxBytes?: number;
  /** Headers for the address's host (authentication); never sent to another, never shown or stored. */
  headers?: Record<string, string>;
  onProgress?: (progress: DownloadProgress) => void;
  /** Called before a new try: why the last one failed, and in how many seconds the next one is. */
  onRetry?: (reason: string, seconds: number) => void;
  /** Aborting keeps what has arrived; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** New tries in a row that may fail without a new byte, before it gives up; default 5. */
  retries?: number;
  /** Wait before the first new try in seconds, doubled each time up to 30; default 1. */
  backoff?: number;
  /** Seconds without a byte after which a connection counts as broken; default 30. */
  stall?: number;
}

/** The options with their defaults. */
type Defaulted = "url" | "path" | "headers" | "retries" | "backoff" | "stall";
export type DownloadSettings = Required<Pick<DownloadOptions, Defaulted>> & Omit<DownloadOptions, Defaulted>;

/** What the server said of the file that PATH.part is the beginning of. */
interface PartNote {
  /** SHA-256 of the address, which itself may be secret. */
  address: string;
  etag: string | null;
  lastModified: string | null;
  total: number | null;
}

/** Fills `path`.part until it is whole, or rejects as `downloadFile` says. */
export function transfer(url: URL, settings: DownloadSettings): Promise<void> {
  return new Transfer(url, settings).run();
}

/** One file on its way: tries until it is whole. */
class Transfer {
  private readonly part: string;
  /** Bytes that the file can have. */
  private readonly most: number;
  private readonly noteFile: string;
  private readonly address: string;
  private note: PartNote | null = null;
  /** Bytes of the file on the disk. */
  private have = 0;
  private whole = false;
  private arrived = 0;

  constructor(
    private readonly url: URL,
    private readonly settings: DownloadSettings,
  ) {
    this.part = `${settings.path}.part`;
    this.most = settings.size ?? settings.maxBytes ?? Number.POSITIVE_INFINITY;
    this.noteFile = `${settings.path}.part.json`;
    this.address = createHash("sha256").update(url.href).digest("hex");
  }

  async run(): Promise<void> {
    const { retries, backoff, signal } = this.settings;
    const file = await this.openPart();
    try {
      // Progress is what no try before had; a server that always breaks at the same byte makes none.
      let [failures, most] = [0, this.have];
      for (let tries = 1; ; tries++) {
        try {
          this.whole = await this.attempt(file);
          if (this.whole) break;
        } catch (error) {
          if (!(error instanceof TransferError)) throw error;
          failures = this.have > most ? 1 : failures + 1;
          most = Math.max(most, this.have);
          if (failures > retries || tries >= MAX_TRIES) throw this.givenUp(error, tries);
          const doubled = Math.min(MAX_WAIT_MS, backoff * 1000 * 2 ** (failures - 1));
          const wait = Math.max(doubled, error.retryAfterMs);
          this.settings.onRetry?.(error.message, wait / 1000);
          await sleep(wait, undefined, { signal }).catch(() => {});
          signal?.throwIfAborted();
        }
      }
      await file.sync();
    } catch (cause) {
      throw cause instanceof Error && "syscall" in cause ? ioError("write", this.part, cause) : cause;
    } finally {
      await file.close();
      // Nothing came: nothing to go on with.
      if (this.have === 0 && !this.whole)
        await Promise.all([this.part, this.noteFile].map((path) => rm(path, { force: true })));
    }
  }

  /** The beginning of the file, when there is one that can be gone on with; else an empty file. */
  private async openPart(): Promise<FileHandle> {
    try {
      // Not "a+": the position of a write must be ours.
      const file = await open(this.part, "r+").catch(() => open(this.part, "w+"));
      const { size } = await file.stat();
      this.note = await this.readNote();
      // Without a note or a checksum nobody knows whether the rest would belong to this beginning.
      const usable = this.note?.address === this.address && (canAsk(this.note) || this.isChecked());
      if (usable && size <= this.most) this.have = size;
      else if (size > 0) await file.truncate(0);
      return file;
    } catch (cause) {
      throw ioError("write", this.part, cause);
    }
  }

  /** Whether the whole file will be compared with a checksum. */
  private isChecked(): boolean {
    return (this.settings.sha256 ?? this.settings.sha256Prefix) !== undefined;
  }

  private async readNote(): Promise<PartNote | null> {
    try {
      const { address, etag, lastModified, total } = JSON.parse(await readFile(this.noteFile, "utf8"));
      const text = (value: unknown) => (typeof value === "string" ? value : null);
      return {
        address: text(address) ?? "",
        etag: text(etag),
        lastModified: text(lastModified),
        total: typeof total === "number" ? total : null,
      };
    } catch {
      // Missing or damaged: the file is begun anew.
      return null;
    }
  }

  /** One request. True: the file is whole; false: begin anew at once. Throws a TransferError to try again. */
  private async attempt(file: FileHandle): Promise<boolean> {
    const { url, settings, note } = this;
    const { headers, stall, signal } = settings;
    const own: Record<string, string> = {};
    if (this.have > 0) {
      own.range = `bytes=${this.have}-`;
      // A weak ETag may not be used here.
      const validator = note?.etag?.startsWith('"') ? note.etag : note?.lastModified;
      if (validator) own["if-range"] = validator;
    }
    const answered = await request(url, { own, headers, stallMs: stall * 1000, signal });
    try {
      return await this.take(answered, file);
    } finally {
      answered.answer.destroy();
    }
  }

  private async take(answered: Answered, file: FileHandle): Promise<boolean> {
    const { answer } = answered;
    const status = answer.statusCode ?? 0;
    const range = rangeOf(answer);
    if (status === 416 && this.have > 0) {
      // Nothing is left to send, or the file became shorter.
      const whole = range?.total === this.have && !this.changed(answer);
      if (!whole) await this.restart(file);
      return whole && this.checkTotal(this.have);
    }
    if (status === 206 && this.have > 0) {
      if (range?.start !== this.have || this.changed(answer)) {
        await this.restart(file);
        return false;
      }
    } else if (status === 200) {
      // No ranges here, or another file than before: from the beginning.
      await this.restart(file);
    } else {
      throw statusError(this.url, answered);
    }
    const length = Number(answer.headers["content-length"] ?? Number.NaN);
    const total = range?.total ?? (Number.isSafeInteger(length) ? this.have + length : null);
    if (total !== null) this.checkTotal(total);
    await this.keepNote(answer, total);
    await this.receive(answer, file, total);
    if (total !== null && this.have !== total) {
      throw new TransferError(`${shownAddress(this.url)}: the connection broke after ${this.have} of ${total} bytes`);
    }
    return this.checkTotal(this.have);
  }

  private async receive(answer: IncomingMessage, file: FileHandle, total: number | null): Promise<void> {
    const { onProgress, signal } = this.settings;
    const body = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    onProgress?.({ received: this.have, total, arrived: this.arrived });
    for (;;) {
      // Only the connection's failures are worth another try; the disk's are not.
      const { done, value } = await body.next().catch((cause) => {
        throw transferError(this.url, cause, signal);
      });
      if (done) return;
      if (total !== null && this.have + value.length > total) {
        await this.restart(file);
        throw new TransferError(`${shownAddress(this.url)} sent more than the ${total} bytes that it announced`);
      }
      if (this.have + value.length > this.most) {
        await this.restart(file);
        throw this.tooLong("sends more");
      }
      for (let from = 0; from < value.length; ) {
        from += (await file.write(value, from, value.length - from, this.have + from)).bytesWritten;
      }
      this.have += value.length;
      this.arrived += value.length;
      onProgress?.({ received: this.have, total, arrived: this.arrived });
    }
  }

  /** Throws away what has arrived. */
  private async restart(file: FileHandle): Promise<void> {
    if (this.have > 0) await file.truncate(0);
    this.have = 0;
    this.note = null;
  }

  /** Whether a partial answer is of another file than the beginning that we have. */
  private changed({ headers }: IncomingMessage): boolean {
    const { note } = this;
    const total = rangeOf({ headers })?.total ?? null;
    const differs = (was: string | number | null | undefined, is: string | number | null | undefined) =>
      (was ?? null) !== null && (is ?? null) !== null && was !== is;
    return (
      differs(note?.etag, headers.etag) ||
      differs(note?.lastModified, headers["last-modified"]) ||
      differs(note?.total, total)
    );
  }

  private async keepNote({ headers }: IncomingMessage, total: number | null): Promise<void> {
    this.note = {
      address: this.address,
      etag: headers.etag ?? null,
      lastModified: headers["last-modified"] ?? null,
      total,
    };
    await writeFileAtomic(this.noteFile, `${JSON.stringify(this.note)}\n`);
  }

  /** True; an error when it is not the length that was expected. */
  private checkTotal(total: number): true {
    const { size } = this.settings;
    if (size === undefined ? total <= this.most : size === total) return true;
    throw this.tooLong(`has one of ${total}`);
  }

  private tooLong(what: string): FormatError | LimitError {
    const { size } = this.settings;
    const shown = shownAddress(this.url);
    if (size !== undefined) return new FormatError(`${shown}: expected a file of ${size} bytes, the server ${what}`);
    return new LimitError(`${shown}: expected a file of at most ${this.most} bytes, the server ${what}`);
  }

  private givenUp(error: TransferError, tries: number): TransferError {
    const kept =
      this.have > 0 ? `; ${this.have} bytes are kept in ${this.part} and the next call goes on from there` : "";
    return new TransferError(`${error.message}; gave up after ${tries} ${tries === 1 ? "try" : "tries"}${kept}`, {
      cause: error,
    });
  }
}

/** Whether a server can be asked for the rest of exactly this file. */
function canAsk({ etag, lastModified }: PartNote): boolean {
  return etag?.startsWith('"') === true || lastModified !== null;
}

/** What a Content-Range header says: "bytes 5-9/10", an asterisk for the range where it has none. */
function rangeOf({ headers }: Pick<IncomingMessage, "headers">): { start: number | null; total: number | null } | null {
  const found = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (!found) return null;
  const number = (text: string | undefined) => (text === undefined || text === "*" ? null : Number(text));
  return { start: number(found[1]), total: number(found[2]) };
}
