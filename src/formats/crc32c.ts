/** CRC-32C (Castagnoli's polynomial, RFC 3720) and the masked form in which TensorFlow's record files store it. */
import { crcOf, crcTable } from "./bytes.js";

const TABLE = crcTable(0x82f63b78);

export const crc32c = (bytes: Uint8Array): number => crcOf(TABLE, bytes);

/** Turned right by 15 bits plus a constant, so that the check of data that contains checks is not degenerate. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
