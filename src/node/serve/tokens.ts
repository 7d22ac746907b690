/** Who may do what: tokens from the environment, compared in constant time, shown nowhere. */
import { createHash, timingSafeEqual } from "node:crypto";
import { checkObject, checkText } from "../../check.js";
import { OptionError } from "../../errors.js";

/** What a request may do: change the index, or only search it. */
export type Right = "write" | "read";

/** Tokens of the service; none: everybody may do everything. */
export interface Tokens {
  /** May do everything. */
  write: readonly string[];
  /** May search and match. */
  read: readonly string[];
}

/** Fewest characters of a token: shorter ones can be guessed. */
const SHORTEST = 16;

/** The tokens in two variables, with commas or spaces between them. OptionError for one that is too short. */
export function tokensOf(environment: Record<string, string | undefined>): Tokens {
  const { STRATA_TOKENS, STRATA_READ_TOKENS } = checkObject("tokensOf", "environment", environment);
  const list = (name: string, text: unknown = "") => {
    const tokens = checkText("tokensOf", name, text)
      .split(/[\s,]+/)
      .filter((token) => token !== "");
    if (tokens.some((token) => token.length < SHORTEST)) {
      throw new OptionError(`${name}: a token has at least ${SHORTEST} characters; "openssl rand -hex 24" makes one`);
    }
    return tokens;
  };
  return { write: list("STRATA_TOKENS", STRATA_TOKENS), read: list("STRATA_READ_TOKENS", STRATA_READ_TOKENS) };
}

/** What the bearer of an Authorization header may do; null: nothing. */
export function rightOf({ write, read }: Tokens, header: string | undefined): Right | null {
  if (write.length + read.length === 0) return "write";
  const given = digest(/^Bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? "");
  // All are looked at, whichever fits.
  let right: Right | null = null;
  for (const token of read) if (timingSafeEqual(given, digest(token))) right = "read";
  for (const token of write) if (timingSafeEqual(given, digest(token))) right = "write";
  return right;
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();
