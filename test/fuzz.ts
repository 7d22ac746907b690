/**
 * Seeded damage for readers of untrusted bytes. A reader must give a well-formed result or a StrataError: never another
 * error, a hang, or memory out of proportion to the input.
 */
import { StrataError } from "../src/errors.js";
import { Random } from "../src/random.js";

/**
 * How many damaged copies a long test makes: a share of them that fits the time, or `STRATA_FUZZ_ROUNDS` of each (the
 * plan's proof is 2,000).
 */
export function fuzzRounds(share: number): number {
  const wanted = process.env.STRATA_FUZZ_ROUNDS;
  if (wanted === undefined || wanted === "") return share;
  if (!/^[1-9]\d*$/.test(wanted)) throw new Error(`STRATA_FUZZ_ROUNDS must be a whole number, got "${wanted}"`);
  return Number(wanted);
}

/** Numbers that break length and offset arithmetic. */
const NASTY = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A damaged copy of `bytes`: bits flipped, bytes or words overwritten, cut, grown, a piece repeated or taken out. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  // A copy also of a Node Buffer, whose `slice` is none.
  let out = new Uint8Array(bytes);
  // Half of all damage hits the first bytes, where headers are; the rest any place.
  const place = (length: number): number => random.integer(random.integer(2) ? length : Math.min(length, 256)) || 0;
  for (let n = 1 + random.integer(4); n > 0; n--) {
    const at = place(out.length);
    switch (random.integer(out.length ? 7 : 1)) {
      case 0: {
        const grown = new Uint8Array(out.length + 1 + random.integer(64));
        grown.set(out);
        for (let i = out.length; i < grown.length; i++) grown[i] = random.integer(256);
        out = grown;
        break;
      }
      case 1:
      case 2:
        out[at] ^= 1 << random.integer(8);
        break;
      case 3:
        out[at] = random.integer(256);
        break;
      case 4: {
        const word = NASTY[random.integer(NASTY.length)];
        for (let i = 0; i < 4 && at + i < out.length; i++) out[at + i] = word >>> (8 * i);
        break;
      }
      case 5:
        out = out.slice(0, random.integer(out.length + 1));
        break;
      default: {
        const to = at + random.integer(Math.min(64, out.length - at) + 1);
        const piece = out.slice(at, to);
        const from = random.integer(2) ? at : to;
        out = new Uint8Array([...out.subarray(0, from), ...(from === to ? piece : []), ...out.subarray(to)]);
      }
    }
  }
  return out;
}

/**
 * Runs `read` on `rounds` damaged copies. `check` looks at each result that came. Returns how many were read and how
 * many refused; any error but a StrataError is thrown on, with the seed and round that made it.
 */
export async function fuzz<T>(
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => T | Promise<T>,
  check: (result: T) => void,
  { rounds = 500, seed = 1 } = {},
): Promise<{ read: number; refused: number }> {
  const random = new Random(seed);
  const counts = { read: 0, refused: 0 };
  for (let round = 0; round < rounds; round++) {
    const damaged = mutate(bytes, random);
    let result: T;
    try {
      result = await read(damaged);
    } catch (error) {
      if (!(error instanceof StrataError)) {
        throw new Error(`seed ${seed}, round ${round}: ${String(error)} is not a StrataError`, { cause: error });
      }
      counts.refused++;
      continue;
    }
    check(result);
    counts.read++;
  }
  return counts;
}
