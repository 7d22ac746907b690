/**
 * One GET request over HTTP(S), with the care that large files and credentials need: the bytes as they are sent (no
 * decoding, which would spoil lengths and checksums), bounded redirects that never leave https, headers of the caller
 * kept from other hosts, through a proxy where one is set, and an end when nothing comes for too long. Messages show
 * addresses without credentials.
 */
import { get as getHttp, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { get as getHttps } from "node:https";
import { IoError, OptionError } from "../errors.js";
import { type ProxyRoute, proxyFor } from "./proxy.js";

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

/** The server asks for a user and a password, or refuses those that it got. */
export class LoginError extends IoError {
  /** The server that asks; where it is another host than the address's, that is not the one a login is for. */
  readonly origin: string;
  constructor(message: string, origin: string) {
    super(message);
    this.origin = origin;
  }
}

/** An answer, and the address that gave it: after redirects another than was asked. */
export interface Answered {
  answer: IncomingMessage;
  from: URL;
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
export async function request(url: URL, options: RequestOptions): Promise<Answered> {
  let at = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await requestOnce(at, { ...options, headers: sameHost(url, at) ? options.headers : {} });
    if (!REDIRECTS.includes(answer.statusCode ?? 0)) return { answer, from: at };
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
  const proxy = proxyFor(url, process.env);
  const connecting = new AbortController();
  return new Promise((resolve, reject) => {
    // Without a proxy no agent: a connection per request, which ends with it.
    const agent = proxy?.agent(connecting.signal) ?? false;
    const pending = get(url, { headers: merged, agent, timeout: stallMs, signal });
    let answer: IncomingMessage | undefined;
    // Until a proxy has connected there is no socket, and nothing that node:http could end by itself.
    const giveUp = (error: unknown) => {
      reject(error);
      connecting.abort();
      pending.destroy();
    };
    const stalled = () => new TransferError(`${shownAddress(url)} sent nothing for ${stallMs / 1000} s${by(proxy)}`);
    const slow = proxy && setTimeout(() => giveUp(stalled()), stallMs);
    const stop = () => giveUp(signal?.reason);
    if (proxy) signal?.addEventListener("abort", stop, { once: true });
    const connected = () => {
      clearTimeout(slow);
      signal?.removeEventListener("abort", stop);
    };
    pending.on("socket", connected);
    pending.on("proxyConnect", ({ statusCode }: { statusCode?: number }) => {
      if (proxy && statusCode !== undefined && statusCode !== 200) giveUp(refusal(url, proxy, statusCode));
    });
    pending.on("response", (response) => {
      answer = response;
      if (proxy && response.statusCode === 407) giveUp(refusal(url, proxy, 407));
      else resolve(response);
    });
    // Whoever reads the answer's body, or waits for it to begin, gets this error.
    pending.on("timeout", () => (answer ?? pending).destroy(stalled()));
    pending.on("error", (cause) => {
      connected();
      reject(transferError(url, cause, signal, proxy));
    });
  });
}

const by = (proxy: ProxyRoute | undefined): string => (proxy ? ` (by the proxy ${proxy.shown})` : "");

/** A proxy that does not let us through. */
function refusal(url: URL, { shown }: ProxyRoute, status: number): IoError {
  if (status >= 500)
    return new TransferError(`${shownAddress(url)}: the proxy ${shown} cannot reach it (status ${status})`);
  const reason =
    status === 407
      ? "asks for a login; write it into HTTPS_PROXY or HTTP_PROXY: http://USER:PASSWORD@HOST:PORT"
      : "does not let us through";
  return new IoError(`cannot download ${shownAddress(url)}: the proxy ${shown} ${reason} (status ${status})`);
}

/** What broke a transfer, as an error to try again after; what the caller asked to stop stays what it is. */
export function transferError(url: URL, cause: unknown, signal?: AbortSignal, proxy?: ProxyRoute): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof IoError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ECONNREFUSED: `${proxy ? "the proxy" : "the server"} refuses the connection`,
    ECONNRESET: "the connection broke",
    EPIPE: "the connection broke",
    ERR_STREAM_PREMATURE_CLOSE: "the connection broke",
    ENOTFOUND: "there is no such server, or no network",
    EAI_AGAIN: "the server's name cannot be looked up; is there a network?",
    ETIMEDOUT: "the server does not answer",
    ENETUNREACH: "there is no network",
    EHOSTUNREACH: "the server cannot be reached",
  };
  return new TransferError(`${shownAddress(url)}: ${reasons[code ?? ""] ?? message}${by(proxy)}`, { cause });
}

/** The error for a status that is none of success: one to try again after where that may help. */
export function statusError(url: URL, { answer, from }: Answered): IoError {
  const status = answer.statusCode ?? 0;
  const shown = shownAddress(url);
  if (status === 401) {
    const where = sameHost(url, from) ? "it" : `${from.origin}, to which it redirects,`;
    return new LoginError(
      `cannot download ${shown}: ${where} asks for a user name, password or token (status 401)`,
      from.origin,
    );
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(answer.headers["retry-after"]);
    const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0;
    return new TransferError(`${shown}: the server is busy or broken (status ${status})`, { retryAfterMs });
  }
  const reasons: Record<number, string> = {
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
