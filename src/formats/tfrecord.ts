/**
 * TensorFlow's record files: records one after another, each as its length (64 bits), the length's masked CRC-32C, the
 * bytes, and theirs. A file may be read while it is written, so what is missing at its end is told, not refused.
 */
import { FormatError } from "../errors.js";
import { ByteReader } from "./bytes.js";
import { maskedCrc32c } from "./crc32c.js";

const HEADER = 12;
const FOOTER = 4;

/** One record as it stands in a file. */
export function writeTfRecord(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + data.length + FOOTER);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, HEADER);
  view.setUint32(HEADER + data.length, maskedCrc32c(data), true);
  return bytes;
}

export interface TfRecords {
  /** Parts of the file's bytes, not copied. */
  records: Uint8Array[];
  /** Bytes at the end that are the beginning of one more record: the file is being written, or its writer was killed. */
  unfinished: number;
}

/** The records of a file. FormatError for checks that do not agree; `where` begins the message. */
export function readTfRecords(bytes: Uint8Array, where = "readTfRecords"): TfRecords {
  const reader = new ByteReader(where, bytes);
  const records: Uint8Array[] = [];
  while (reader.left > 0) {
    const { offset } = reader;
    const unfinished = bytes.length - offset;
    if (unfinished < HEADER) return { records, unfinished };
    const check = maskedCrc32c(bytes.subarray(offset, offset + 8));
    // The check first: a length that it vouches for is not too large, only not all there.
    const low = reader.u32("a record's length");
    const high = reader.u32("a record's length");
    if (reader.u32("a record's check") !== check) {
      throw new FormatError(
        `${where}: the length at offset ${offset} does not agree with its check; no TFRecord file, or damaged`,
      );
    }
    const length = high * 2 ** 32 + low;
    if (length + FOOTER > reader.left) return { records, unfinished };
    const data = reader.take(length, "a record");
    if (reader.u32("a record's check") !== maskedCrc32c(data)) {
      throw new FormatError(
        `${where}: record ${records.length} at offset ${offset} does not agree with its check; the file is damaged`,
      );
    }
    records.push(data);
  }
  return { records, unfinished: 0 };
}
