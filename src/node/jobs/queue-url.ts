/** Where a queue is, and what its server says when something is wrong. A password is shown nowhere. */
import { FormatError, IoError, LimitError, OptionError, StrataError, UnsupportedError } from "../../errors.js";

/** Servers that keep queues. */
export type QueueServer = "redis" | "postgres";

const SCHEMES: Readonly<Record<string, QueueServer>> = {
  "redis:": "redis",
  "rediss:": "redis",
  "postgres:": "postgres",
  "postgresql:": "postgres",
};

/** A checked address. */
export interface QueueAddress {
  server: QueueServer;
  url: URL;
  /** The address without user and password, for messages. */
  shown: string;
}

/** OptionError for what is no address of a server that keeps queues. */
export function parseQueueUrl(text: unknown): QueueAddress {
  const wanted = "redis://HOST:6379 or postgres://HOST/DATABASE";
  if (typeof text !== "string") throw new OptionError(`a queue's address must be ${wanted}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // Not shown: there may be a password in it.
    throw new OptionError(`the queue's address is no URL; give ${wanted}`);
  }
  const server = SCHEMES[url.protocol];
  if (!server) throw new OptionError(`a queue cannot be at ${url.protocol}//…; give ${wanted}`);
  if (url.hostname === "" && server === "redis")
    throw new OptionError(`the queue's address names no host; give ${wanted}`);
  if (server === "redis" && !/^(\/\d{0,4})?$/.test(url.pathname)) {
    throw new OptionError("behind the host of a redis:// address stands the number of a database: redis://HOST:6379/0");
  }
  return { server, url, shown: `${url.protocol}//${url.host}${url.pathname}` };
}

/** The text without whatever of the address is secret. */
export function withoutSecrets(text: string, { url }: QueueAddress): string {
  const secrets = [url.password, decode(url.password), url.searchParams.get("password") ?? ""];
  return secrets.filter((secret) => secret.length > 0).reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface Reason {
  /** Of the system's or PostgreSQL's code, or of the message. */
  matches: RegExp;
  make: new (message: string, options?: { cause?: unknown }) => StrataError;
  text: string;
}

const REASONS: readonly Reason[] = [
  {
    matches: /ECONNREFUSED|ECONNRESET|EPIPE|Connection is closed|Connection terminated|57P0[123]/,
    make: IoError,
    text: "no server answers there, or it hangs up; is it running, is this the right port, are too many connected?",
  },
  { matches: /ENOTFOUND|EAI_AGAIN/, make: IoError, text: "there is no such host" },
  {
    matches: /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|timeout/i,
    make: IoError,
    text: "the host does not answer; is a firewall between, and is it a server of this kind (redis:// or rediss://, postgres://)?",
  },
  {
    matches:
      /WRONGPASS|NOAUTH|invalid username-password|28P01|28000|password authentication|no password supplied|SCRAM|must be a string/i,
    make: IoError,
    text: "user or password are not accepted",
  },
  {
    matches: /without any password configured/,
    make: IoError,
    text: "the server has no password; leave it out of the address",
  },
  { matches: /NOPERM|42501/, make: IoError, text: "the user may not write there" },
  { matches: /3D000/, make: IoError, text: "there is no such database" },
  {
    matches: /READONLY|25006|read-only/i,
    make: IoError,
    text: "it is read-only (a replica?); give the address of the one that is written to",
  },
  {
    matches: /NOREPLICAS/,
    make: IoError,
    text: "too few of its replicas answer for it to take writes; mend them, or its min-replicas-to-write",
  },
  {
    matches: /MISCONF/,
    make: IoError,
    text: "Redis cannot save to its disk and takes no writes; mend its disk, or its `save` settings",
  },
  {
    matches: /\bOOM\b|53200/,
    make: LimitError,
    text: "the server's memory is full (maxmemory); give it more, or empty other queues",
  },
  { matches: /53100/, make: LimitError, text: "the server's disk is full" },
  {
    matches: /53300|max number of clients/,
    make: LimitError,
    text: "the server has too many clients; allow more (max_connections, maxclients)",
  },
  { matches: /LOADING/, make: IoError, text: "the server is still loading its data; try again in a moment" },
  { matches: /DB index is out of range|invalid DB/, make: OptionError, text: "there is no database of that number" },
  {
    matches: /SSL|TLS|EPROTO|wrong version number/i,
    make: IoError,
    text: "server and address do not agree about encryption (redis:// or rediss://, sslmode)",
  },
  { matches: /Protocol error|Parser/i, make: FormatError, text: "what answers there is no such server" },
];

/** What a server or its client says, in words that help; null for what is none of its errors. */
export function serverError(error: unknown, address: QueueAddress): StrataError | null {
  if (error instanceof StrataError) return error;
  const { code, message = "", errors } = Object(error) as { code?: unknown; message?: string; errors?: unknown[] };
  // Several addresses of one host were tried.
  if (Array.isArray(errors) && errors.length > 0) return serverError(errors[0], address);
  const said = `${typeof code === "string" ? code : ""} ${message}`;
  const reason = REASONS.find(({ matches }) => matches.test(said));
  if (!reason) return null;
  // The cause would show the address, and with it the password.
  return new reason.make(`the queue at ${address.shown}: ${reason.text}`);
}

/** As `serverError`; what is not known is told as it is, without secrets. */
export function queueError(error: unknown, address: QueueAddress): StrataError {
  const known = serverError(error, address);
  if (known) return known;
  const { message = String(error) } = Object(error) as { message?: string };
  return new UnsupportedError(`the queue at ${address.shown}: ${withoutSecrets(message.split("\n")[0], address)}`);
}
