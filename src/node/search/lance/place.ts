/** Where a table of LanceDB lies, how that is called in messages, and what its errors say. No secret is shown. */
import { resolve } from "node:path";
import { checkObject, checkText } from "../../../check.js";
import { FormatError, IoError, OptionError, StrataError } from "../../../errors.js";
import { asLimit } from "../../../limits.js";
import { isHopeless } from "../../atomic.js";

const PREFIX = "lance:";

/** Whether the place of an index is one in LanceDB: lance:FOLDER, or lance:s3://…. */
export const isLancePlace = (place: string): boolean => place.startsWith(PREFIX);

/** Object stores that LanceDB reaches by itself. */
const SCHEMES = ["s3", "s3+ddb", "gs", "az", "abfss", "oss"];

/** Where an index in LanceDB lies. */
export interface LancePlace {
  /** As the command line takes it, without what is secret. */
  name: string;
  /** As LanceDB takes it. */
  uri: string;
  /** Null on object stores. */
  folder: string | null;
  storageOptions: Record<string, string>;
}

/** A folder, or an address of an object store, with or without "lance:" before it. */
export function lancePlace(where: string, place: unknown, storageOptions: unknown = {}): LancePlace {
  const given = checkText(where, "the place", place);
  const path = isLancePlace(given) ? given.slice(PREFIX.length) : given;
  const options = checkObject(where, "storageOptions", storageOptions);
  for (const [key, value] of Object.entries(options)) checkText(where, `storageOptions.${key}`, value);
  const storage = options as Record<string, string>;
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(path) ?? [];
  const wanted = `a folder, or an address that begins with ${SCHEMES.map((one) => `${one}://`).join(", ")}`;
  if (scheme === undefined) {
    if (path === "" || path.includes("\0")) throw new OptionError(`${where}: no place after "lance:"; give ${wanted}`);
    return { name: PREFIX + path, uri: resolve(path), folder: resolve(path), storageOptions: storage };
  }
  if (!SCHEMES.includes(scheme.toLowerCase())) {
    throw new OptionError(`${where}: LanceDB's tables cannot be at ${scheme}://…; give ${wanted}`);
  }
  // Names of buckets are no hosts for URL to understand.
  const shown = path.replace(/^([^:]+:\/\/)[^/]*@/, "$1").replace(/[?#].*$/, "");
  return { name: PREFIX + shown, uri: path, folder: null, storageOptions: storage };
}

const SECRET = /secret|key|token|password|credential|signature|\bsas\b/i;
const SECRET_VARIABLE = /^(AWS|AZURE|GOOGLE|GCP|OSS|LANCE)/i;
const LEAST_SECRET = 4;

/** The text without whatever of the place and the environment is secret. */
function withoutSecrets(text: string, { uri, name, storageOptions, folder }: LancePlace): string {
  const secrets = [
    ...Object.entries(storageOptions).filter(([key]) => SECRET.test(key)),
    ...Object.entries(process.env).filter(([key]) => SECRET_VARIABLE.test(key) && SECRET.test(key)),
  ].flatMap(([, value]) => (value && value.length >= LEAST_SECRET ? [value] : []));
  const plain = folder === null ? text.replaceAll(uri, name.slice(PREFIX.length)) : text;
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), plain.replace(/:\/\/[^/\s]*@/g, "://"));
}

/** What LanceDB says of a file that is not as it was written. */
const DAMAGE =
  /corrupt|magic|invalid (file|footer|header)|not found|no such file|whole buffer|unexpected eof|out of (bounds|range)|decod|protobuf|panic/i;
/** What it says where it does not get there. */
const UNREACHED =
  /error sending request|dns|connect|timed? ?out|credential|permission|access ?denied|forbidden|unauthori[sz]ed|40[13]|bucket/i;
const LONGEST = 300;

/** What to throw for an error of LanceDB; errors of ours pass. Its cause would show all of the address. */
export function lanceError(place: LancePlace, verb: string, cause: unknown): Error {
  if (cause instanceof StrataError) return cause;
  const limit = asLimit(cause);
  if (limit !== cause && limit instanceof Error) return limit;
  // Each layer of it says the same again; the first says what failed, the last why.
  const layers = String((cause as Error | undefined)?.message ?? cause).split(/\s*Caused by:\s*/);
  const said = withoutSecrets([...new Set([layers[0], layers.at(-1)])].join(": "), place)
    .replace(/\s+/g, " ")
    // Lines of its source.
    .replace(/, \S+\.rs:\d+:\d+/g, "")
    .slice(0, LONGEST);
  const message = `cannot ${verb} ${place.name}: ${said}`;
  const isDamage = DAMAGE.test(said) && !(place.folder === null && UNREACHED.test(said)) && !isHopeless(cause);
  return isDamage
    ? new FormatError(`${place.name}: the table is damaged, or a file of it is missing: ${said}`)
    : new IoError(message);
}
