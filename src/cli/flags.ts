/**
 * Flags of the reference system (its extraction script), spelled with underscores, as ours. `--a_b` becomes `--a-b`
 * before the command line is parsed; the table has the flags that became another word, and those whose meaning is not
 * kept. All others that the reference has are ours under the same name: --attention-ckpt, --load-from-folder,
 * --attention-model, --output-extension, --smart-name, --d2net-localization, --thresh, --replace-strides,
 * --first-stride, --sum-descriptors, --scale, --max-edge, --max-sum-edges, --append, --preprocessing.
 */
import { OptionError } from "../errors.js";

interface ReferenceFlag {
  /** The reference's flag, in kebab-case. */
  flag: string;
  /** What stands for it here: tokens that replace it (a value that follows stays where it is). */
  becomes?: readonly string[];
  /** Why it is refused and what to say instead. */
  refused?: string;
}

export const REFERENCE_FLAGS: readonly ReferenceFlag[] = [
  { flag: "--image-list-file", becomes: ["--list"] },
  { flag: "--output-type", becomes: ["--format"] },
  { flag: "--encoder-model", becomes: ["--model"] },
  { flag: "--nogpu", becomes: ["--backend", "cpu"] },
  {
    flag: "--nouse-nms",
    refused: "in the reference it switches non-maximum suppression on, against its name; say --nms or --no-nms",
  },
  { flag: "--use-nms", refused: "say --nms or --no-nms" },
];

/** Spelled as in the reference, and without its `--scale`, these did nothing there; here they scale by themselves. */
const SCALE_LIMITS = ["--max_edge", "--max_sum_edges"];

export interface Normalized {
  arguments: string[];
  /** To be told to the user: where something behaves differently from the reference. */
  notes: string[];
}

/** The command line in our spelling. Throws an OptionError for a flag whose meaning is not kept. */
export function normalizeFlags(argv: readonly string[]): Normalized {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  const normalized = flags.flatMap((token) => {
    if (!token.startsWith("--")) return [token];
    const equals = token.indexOf("=");
    const name = equals < 0 ? token : token.slice(0, equals);
    const value = equals < 0 ? "" : token.slice(equals);
    const kebab = name.replaceAll("_", "-");
    const known = REFERENCE_FLAGS.find(({ flag }) => flag === kebab);
    if (known?.refused) throw new OptionError(`${name} is not offered: ${known.refused}`);
    const [first, ...rest] = known?.becomes ?? [kebab];
    return [first + value, ...rest];
  });
  const notes: string[] = [];
  const limit = flags.find((token) => SCALE_LIMITS.includes(token.split("=")[0]));
  if (limit && !flags.includes("--scale")) {
    notes.push(
      `${limit.split("=")[0]} scales large images down by itself here; the reference did so only with --scale`,
    );
  }
  return { arguments: [...normalized, ...argv.slice(flags.length)], notes };
}
