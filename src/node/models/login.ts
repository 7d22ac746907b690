/**
 * User and password for a server that asks: from the environment, netrc, or the person at the terminal. They are never
 * taken from the command line, where every process can read them, and never printed or stored.
 */
import { LoginError } from "../http.js";
import type { Environment } from "../proxy.js";
import { findMachine, readNetrc } from "./netrc.js";

export const USER_SETTING = "STRATA_USER";
export const PASSWORD_SETTING = "STRATA_PASSWORD";

export interface Login {
  user: string;
  password: string;
  /** Where they are from, for messages. */
  source: string;
}

/** Asks the person at the terminal; what is typed does not appear where it is `hidden`. */
export type Ask = (question: string, options: { hidden: boolean }) => Promise<string>;

export interface LoginOptions {
  environment: Environment;
  /** Whether the environment's login is meant for this server: it was announced, or is a mirror that was named. */
  announced: boolean;
  /** Undefined: there is no terminal. */
  ask?: Ask;
  warn(message: string): void;
}

/** The login for a server; a LoginError that says what to do where there is none. */
export async function findLogin(url: URL, options: LoginOptions): Promise<Login> {
  const { environment, announced, ask } = options;
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) {
    throw new LoginError(
      `${url.origin} asks for a password, which is not sent over an unprotected connection; use an https:// address`,
      url.origin,
    );
  }
  const user = announced ? environment[USER_SETTING] || undefined : undefined;
  const password = announced ? environment[PASSWORD_SETTING] || undefined : undefined;
  if (user !== undefined && password !== undefined) {
    return { user, password, source: `${USER_SETTING} and ${PASSWORD_SETTING}` };
  }
  const fromFile = await netrcLogin(url, user, options);
  if (fromFile) return fromFile;
  if (ask) {
    const name = user ?? (await ask(`User name for ${url.host}: `, { hidden: false }));
    return {
      user: name,
      password: await ask(`Password of ${name} for ${url.host}: `, { hidden: true }),
      source: "you",
    };
  }
  throw new LoginError(
    `${url.origin} asks for a user and a password, and there are none: set ${USER_SETTING} and ${PASSWORD_SETTING}, ` +
      `write "machine ${url.hostname} login … password …" into ~/.netrc, or run it on a terminal to be asked`,
    url.origin,
  );
}

async function netrcLogin(
  url: URL,
  user: string | undefined,
  { environment, warn }: LoginOptions,
): Promise<Login | undefined> {
  const netrc = await readNetrc(environment);
  const entry = netrc && findMachine(netrc.entries, url.hostname.replace(/^\[|\]$/g, ""), user);
  const name = user ?? entry?.login ?? undefined;
  if (!entry || name === undefined || entry.password === null) return undefined;
  if (netrc.open) warn(`others can read ${netrc.path}, which holds a password; chmod 600 it`);
  return { user: name, password: entry.password, source: netrc.path };
}

/** The header of basic authentication (RFC 7617, UTF-8). A LoginError for what cannot be sent. */
export function basicAuthorization(url: URL, { user, password, source }: Login): Record<string, string> {
  if (user === "" || user.includes(":") || /\p{Cc}/u.test(user + password)) {
    throw new LoginError(
      `the login for ${url.origin} from ${source} cannot be sent: a user has a name without ":", and neither it nor the ` +
        "password has control characters",
      url.origin,
    );
  }
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}` };
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
