/** Errors of what is in a file, said with the file's name or the image's. */
import { FormatError, LimitError, ShapeError, UnsupportedError } from "../errors.js";

/** The name of the function that refused the bytes, which tells people nothing beside the file's name. */
const FUNCTION = /^(read|decode|database)[A-Z]\w*: /;

/** Runs `work`; what is wrong with the bytes is said with the file's name. */
export async function named<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const kinds = [FormatError, ShapeError, LimitError, UnsupportedError];
    const Kind = kinds.find((kind) => error instanceof kind);
    if (!Kind || (error as Error).message.includes(path)) throw error;
    throw new Kind(`${path}: ${(error as Error).message.replace(FUNCTION, "")}`, { cause: error });
  }
}

/** Runs `work`, which writes an image's features; an UnsupportedError names the image. */
export function namingImage<T>(image: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    throw new UnsupportedError(`"${image}": ${error.message.replace(/^\w+: /, "")}`, { cause: error });
  }
}
