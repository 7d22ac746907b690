/**
 * A file that records are added to, one by one, for work in pieces that are too many and too small for files of their own.
 * Each record has its lengths and a checksum in front: whatever stops a run (also a kill or a full disk), all records but the
 * one that was being written are there. A torn end is cut off when the file is opened.
 *
 * The file begins with a mark: anything else is not ours to cut. A record: bytes of the key and of the body, CRC-32C of both together (uint32, little-endian), key (UTF-8), body.
 */
import { constants, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FormatError } from "../errors.js";
import { encodeUtf8 } from "../formats/bytes.js";
import { crc32c } from "../formats/crc32c.js";
import { ioError } from "./atomic.js";

const MARK = encodeUtf8("strata1\n");
const HEAD = 12;
/** A record's largest key and body in bytes; more is damage. */
const MAX_KEY = 2 ** 20;
const MAX_BODY = 2 ** 30;
/** Bytes that are read at once. */
const WINDOW = 2 ** 18;
/** Milliseconds after which what was added is written through to the disk, in case the power fails. */
const SYNC_INTERVAL = 5000;

export interface LogRecord {
  key: string;
  body: Uint8Array;
}

export class RecordLog {
  private window = { at: 0, bytes: new Uint8Array(0) };
  private synced = Date.now();

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private end: number,
  ) {}

  /**
   * Opens or makes the file and tells the place of each record in it, in order. IoError where that cannot be, FormatError for
   * a file that is no log.
   */
  static async open(path: string, onRecord: (record: LogRecord, place: number) => void): Promise<RecordLog> {
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDWR | constants.O_CREAT);
    } catch (cause) {
      throw ioError("write", path, cause);
    }
    try {
      const { size } = await file.stat();
      const log = new RecordLog(path, file, size);
      const mark = log.bytes(0, Math.min(size, MARK.length)) ?? new Uint8Array(0);
      if (mark.some((byte, i) => byte !== MARK[i])) {
        throw new FormatError(`${path} is there already and is no log of strata; move it to another place`);
      }
      // Also of a file that was torn within it.
      if (size < MARK.length) await file.write(MARK, 0, MARK.length, 0);
      let place = MARK.length;
      for (let next: number | null = place; next !== null; ) {
        place = next;
        next = log.scan(place, onRecord);
      }
      if (place < size) await file.truncate(place);
      log.end = place;
      log.window = { at: 0, bytes: new Uint8Array(0) };
      return log;
    } catch (cause) {
      await file.close();
      throw cause instanceof FormatError ? cause : ioError("read", path, cause);
    }
  }

  /** Adds a record; its place. After an error the log is as before. */
  async append({ key, body }: LogRecord): Promise<number> {
    const place = this.end;
    const text = encodeUtf8(key);
    const bytes = new Uint8Array(HEAD + text.length + body.length);
    bytes.set(text, HEAD);
    bytes.set(body, HEAD + text.length);
    const head = new DataView(bytes.buffer);
    head.setUint32(0, text.length, true);
    head.setUint32(4, body.length, true);
    head.setUint32(8, crc32c(bytes.subarray(HEAD)), true);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.file.write(bytes, done, bytes.length - done, place + done)).bytesWritten;
      }
      this.end = place + bytes.length;
      if (Date.now() - this.synced > SYNC_INTERVAL) await this.sync();
    } catch (cause) {
      await this.file.truncate(this.end).catch(() => {});
      throw ioError("write", this.path, cause);
    }
    return place;
  }

  /** The record at that place. FormatError when the disk has changed it. */
  read(place: number): LogRecord {
    let found: LogRecord | undefined;
    const next = this.scan(place, (record) => {
      found = record;
    });
    if (next === null || !found) throw new FormatError(`${this.path}: a record is damaged; remove the file`);
    return found;
  }

  async sync(): Promise<void> {
    await this.file.sync();
    this.synced = Date.now();
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  /** Tells the record at `place`, if it is whole; the next one's place, or null. */
  private scan(place: number, onRecord: (record: LogRecord, place: number) => void): number | null {
    const head = this.bytes(place, HEAD);
    if (!head) return null;
    const view = new DataView(head.buffer, head.byteOffset, HEAD);
    const [keyBytes, bodyBytes, crc] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
    if (keyBytes === 0 || keyBytes > MAX_KEY || bodyBytes > MAX_BODY) return null;
    const both = this.bytes(place + HEAD, keyBytes + bodyBytes);
    if (!both || crc32c(both) >>> 0 !== crc) return null;
    const key = new TextDecoder().decode(both.subarray(0, keyBytes));
    onRecord({ key, body: both.slice(keyBytes) }, place);
    return place + HEAD + keyBytes + bodyBytes;
  }

  /** Bytes of the file, null beyond its end; those behind them are read as well, for records are read in order. */
  private bytes(from: number, count: number): Uint8Array | null {
    if (from + count > this.end) return null;
    const { at, bytes } = this.window;
    if (from >= at && from + count <= at + bytes.length) return bytes.subarray(from - at, from - at + count);
    const fresh = new Uint8Array(Math.min(Math.max(count, WINDOW), this.end - from));
    let done = 0;
    while (done < fresh.length) {
      const read = readSync(this.file.fd, fresh, done, fresh.length - done, from + done);
      if (read === 0) return null;
      done += read;
    }
    this.window = { at: from, bytes: fresh };
    return fresh.subarray(0, count);
  }
}
