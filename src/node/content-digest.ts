/** What features and matches are known by, whatever arrays they have. */
import { createHash } from "node:crypto";

/** SHA-256 (its first 32 digits) of all that an object of typed arrays and plain values holds. */
export function contentDigest(content: object): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1))) {
    // Floats are what descriptors are unless `kind` says otherwise.
    if (value === undefined || (name === "kind" && value === "float")) continue;
    if (ArrayBuffer.isView(value)) {
      hash.update(`${name} ${value.constructor.name} ${value.byteLength}\n`);
      hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else hash.update(`${name} ${JSON.stringify(value)}\n`);
  }
  return hash.digest("hex").slice(0, 32);
}
