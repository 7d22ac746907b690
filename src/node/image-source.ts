/** What an image may be given as, in Node: the bytes of a file, or where they are. */
import { fileURLToPath } from "node:url";
import { isArrayBuffer, isDataView, isSharedArrayBuffer, isUint8Array } from "node:util/types";
import { FormatError, LimitError, OptionError } from "../errors.js";
import { readFileChecked } from "./atomic.js";
import { downloadBytes } from "./download.js";
import { shownAddress } from "./http.js";

/**
 * A path, a URL (file:, data:, http: or https:), or the bytes of a file: Uint8Array (a Buffer is one), ArrayBuffer,
 * SharedArrayBuffer, DataView, Blob (a File is one).
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView | Blob;

/** Most bytes of a file that is read from the web or a Blob; no photograph is larger. */
const BYTES_LIMIT = 2 ** 29;

export interface ImageBytes {
  bytes: Uint8Array;
  /** How the image is called in errors. */
  name: string;
}

/** The bytes, and what they are called unless the caller says so. OptionError for what is no image's file. */
export async function bytesOf(source: ImageSource): Promise<ImageBytes> {
  if (typeof source === "string") {
    return { bytes: await readFileChecked(source).catch((error) => explainUrl(source, error)), name: source };
  }
  const name = "image";
  if (isArrayBuffer(source) || isSharedArrayBuffer(source)) return { bytes: unshared(new Uint8Array(source)), name };
  if (isUint8Array(source) || isDataView(source)) {
    return { bytes: unshared(new Uint8Array(source.buffer, source.byteOffset, source.byteLength)), name };
  }
  if (source instanceof Blob) {
    const { name: file = name } = source as { name?: string };
    if (source.size > BYTES_LIMIT) throw new LimitError(`${file} has ${source.size} bytes, over ${BYTES_LIMIT}`);
    return { bytes: new Uint8Array(await source.arrayBuffer()), name: file };
  }
  if (source instanceof URL) return fromUrl(source);
  throw new OptionError(
    "loadImage: expected a path, a URL, or the bytes of an image file (Uint8Array, ArrayBuffer, DataView, Blob), " +
      `got ${describe(source)}`,
  );
}

/** A copy of memory that others may write to: libraries that decode do not take it. */
const unshared = (bytes: Uint8Array): Uint8Array => (isSharedArrayBuffer(bytes.buffer) ? bytes.slice() : bytes);

async function fromUrl(url: URL): Promise<ImageBytes> {
  switch (url.protocol) {
    case "file:": {
      let path: string;
      try {
        path = fileURLToPath(url);
      } catch (cause) {
        throw new OptionError(`loadImage: ${url.href} names no file of this machine`, { cause });
      }
      return { bytes: await readFileChecked(path), name: path };
    }
    case "data:":
      return { bytes: dataOf(url.href), name: "data: URL" };
    case "http:":
    case "https:":
      return { bytes: await downloadBytes(url, { limit: BYTES_LIMIT }), name: shownAddress(url) };
    default:
      throw new OptionError(
        `loadImage: URLs that begin with ${url.protocol} are not read; file:, data: and https: are`,
      );
  }
}

/** What a data: URL holds (RFC 2397). */
function dataOf(href: string): Uint8Array {
  const [, parameters, text] = /^data:([^,]*),([^#]*)/s.exec(href) ?? [];
  if (text === undefined) throw new FormatError("data: URL: there is no comma, and so no data");
  // Bytes may be written as %XX in base64 as well.
  const plain = text.includes("%") ? unescaped(text) : text;
  return Buffer.from(plain, /;\s*base64\s*$/i.test(parameters) ? "base64" : "latin1");
}

const unescaped = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

/** A text that is an address, where a path is expected: says what to do. */
function explainUrl(text: string, error: unknown): never {
  const [, scheme] = /^(file|data|https?|blob):/i.exec(text) ?? [];
  if (scheme === undefined) throw error;
  throw new OptionError(
    `loadImage: a text is the path of a file, and "${text.slice(0, 40)}${text.length > 40 ? "…" : ""}" is an address; ` +
      "give new URL(…) in code, a downloaded file on the command line",
    { cause: error },
  );
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return `${typeof value === "function" ? "a function" : value}`;
  if ("width" in value && "data" in value) return "pixels, which are an image already";
  return `a ${value.constructor?.name ?? "plain object"}`;
}
