import { expect, it } from "vitest";
import { crc32 } from "../../../src/formats/bytes.js";
import { crc32c, maskedCrc32c } from "../../../src/formats/crc32c.js";

/** Bit by bit, from the definition. */
function slowly(polynomial: number, bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
  }
  return ~crc >>> 0;
}

it("gives the catalogue's check values", () => {
  const check = new TextEncoder().encode("123456789");
  expect(crc32(check)).toBe(0xcbf43926);
  expect(crc32c(check)).toBe(0xe3069283);
  expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
});

it("takes eight bytes at once as if they came one by one, at any length and place", () => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => (i * 73 + (i >> 2)) % 256);
  for (let start = 0; start < 3; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const part = bytes.subarray(start, end);
      expect(crc32(part)).toBe(slowly(0xedb88320, part));
      expect(crc32c(part)).toBe(slowly(0x82f63b78, part));
    }
  }
});
