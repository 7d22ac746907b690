/**
 * One GET request over HTTP(S), with the care that large files and credentials need: the bytes as they are sent (no
 * decoding, which would spoil lengths and checksums), bounded redirects that never leave https, headers of the caller
 * kept from other hosts, and an end when nothing comes for too long. Messages show addresses without credentials.
 */
import { get as getHttp, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { get as getHttps } from "node:https";
import { IoError, OptionError } from "../errors.js";

const MAX_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
/** The longest that a server may ask us to wait. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface RequestOptions {
  /** Headers for this request only (ranges and the like); sent to every host. */
  own?: OutgoingHttpHeaders;
  /** Headers of the caller, which may hold credentials; sent to the first host only. */
  headers?: Readonly<Record<string, string>>;
  /** Longest time without a byte, milliseconds. */
  stallMs: number;
  signal?: AbortSignal;
}

/** A connection that broke, stalled or was refused by a busy server: it may go better next time. */
export class TransferError extends IoError {
  /** Least wait that the server asks for, milliseconds. */
  readonly retryAfterMs: number;
  constructor(message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs ?? 0;
  }
}

/** The address when it is an http(s) URL; an OptionError that says so otherwise. */
export function checkUrl(where: string, address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === "https:" || url.protocol === "http:")) return url;
  // What was given may hold a password: nothing that looks like one is repeated.
  throw new OptionError(`${where}: expected an address that begins with https:// or http://, got "${hide(address)}"`);
}

/** The address without user, password, query and fragment, which may be secret. */
export function shownAddress(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/**
 * The answer to a GET of `url`, after redirects; its body is not read yet, and must be read or destroyed. Answers of
 * any status but redirects are given back.
 */
export async function request(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  let at = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await requestOnce(at, { ...options, headers: sameHost(url, at) ? options.headers : {} });
    if (!REDIRECTS.includes(answer.statusCode ?? 0)) return answer;
    answer.destroy();
    at = nextAddress(at, answer.headers.location);
  }
  throw new IoError(`cannot download ${shownAddress(url)}: more than ${MAX_REDIRECTS} redirects`);
}

/** Where a redirect leads. */
function nextAddress(from: URL, location: string | undefined): URL {
  const shown = shownAddress(from);
  if (location === undefined || !URL.canParse(location, from)) {
    throw new IoError(`cannot download ${shown}: it redirects to nowhere`);
  }
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    throw new IoError(`cannot download ${shown}: it redirects to ${to.protocol}, which is no web address`);
  }
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw new IoError(
      `cannot download ${shown}: it redirects from https to the unprotected ${shownAddress(to)}, which is not followed`,
    );
  }
  return to;
}

/** Whether the caller's headers may go there: the same host and port, or the same host's https at its usual port. */
function sameHost(first: URL, now: URL): boolean {
  const upgraded = first.protocol === "http:" && now.protocol === "https:" && first.port === "" && now.port === "";
  return first.origin === now.origin || (upgraded && first.hostname === now.hostname);
}

function requestOnce(url: URL, { own, headers, stallMs, signal }: RequestOptions): Promise<IncomingMessage> {
  const get = url.protocol === "https:" ? getHttps : getHttp;
  const merged = { "user-agent": "strata-features", "accept-encoding": "identity", ...headers, ...own };
  return new Promise((resolve, reject) => {
    // No agent: a connection per request, which ends with it.
    const pending = get(url, { headers: merged, agent: false, timeout: stallMs, signal });
    let answer: IncomingMessage | undefined;
    pending.on("response", (response) => {
      answer = response;
      resolve(response);
    });
    // Whoever reads the answer's body, or waits for it to begin, gets this error.
    pending.on("timeout", () => {
      (answer ?? pending).destroy(new TransferError(`${shownAddress(url)} sent nothing for ${stallMs / 1000} s`));
    });
    pending.on("error", (cause) => reject(transferError(url, cause, signal)));
  });
}

/** What broke a transfer, as an error to try again after; what the caller asked to stop stays what it is. */
export function transferError(url: URL, cause: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof IoError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ECONNREFUSED: "the server refuses the connection",
    ECONNRESET: "the connection broke",
    EPIPE: "the connection broke",
    ERR_STREAM_PREMATURE_CLOSE: "the connection broke",
    ENOTFOUND: "there is no such server",
    EAI_AGAIN: "the server's name cannot be looked up",
    ETIMEDOUT: "the server does not answer",
    ENETUNREACH: "there is no network",
    EHOSTUNREACH: "the server cannot be reached",
  };
  return new TransferError(`${shownAddress(url)}: ${reasons[code ?? ""] ?? message}`, { cause });
}

/** The error for a status that is none of success: one to try again after where that may help. */
export function statusError(url: URL, answer: IncomingMessage): IoError {
  const status = answer.statusCode ?? 0;
  const shown = shownAddress(url);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(answer.headers["retry-after"]);
    const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0;
    return new TransferError(`${shown}: the server is busy or broken (status ${status})`, { retryAfterMs });
  }
  const reasons: Record<number, string> = {
    401: "it asks for a user name, password or token",
    403: "access is not allowed",
    404: "there is no such file",
    410: "the file is gone",
  };
  return new IoError(`cannot download ${shown}: ${reasons[status] ?? "unexpected answer"} (status ${status})`);
}

function hide(address: string): string {
  const shown = address.replace(/\/\/[^/]*@/, "//…@").replace(/[?#].*$/s, "");
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}
