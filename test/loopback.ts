/** A server on loopback for tests of what fetches: each request goes to the next of a list of answers. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Loopback {
  /** "http://127.0.0.1:PORT/file". */
  url: string;
  /** Headers of the requests so far, in order. */
  requests: IncomingMessage["headers"][];
  close(): Promise<void>;
}

/** Answers requests in turn; the last answer is for all that follow. */
export async function serve(...answers: Answer[]): Promise<Loopback> {
  const requests: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(request.headers);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/file`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export interface FileOptions {
  etag?: string;
  lastModified?: string;
  /** Breaks the connection after so many bytes of this answer. */
  breakAfter?: number;
  /** Bytes of the file that the client has kept: it breaks when these are all, as a slow machine may lose the last. */
  received?: () => number;
  /** Stalls, without an end, after so many. */
  stallAfter?: number;
  /** Answers ranges; default true. */
  ranges?: boolean;
}

/** Serves bytes as a careful server does: ranges, If-Range, 416. */
export function file(bytes: Uint8Array, options: FileOptions = {}): Answer {
  const { etag, lastModified, breakAfter, stallAfter, received, ranges = true } = options;
  return ({ headers }, response) => {
    if (etag !== undefined) response.setHeader("etag", etag);
    if (lastModified !== undefined) response.setHeader("last-modified", lastModified);
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? Number.NaN);
    const condition = headers["if-range"];
    const same = condition === undefined || condition === etag || condition === lastModified;
    let body = bytes;
    if (ranges && start >= bytes.length && same) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
      return;
    }
    if (ranges && start >= 0 && same) {
      body = bytes.subarray(start);
      response.statusCode = 206;
      response.setHeader("content-range", `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
    }
    response.setHeader("content-length", body.length);
    const stop = breakAfter ?? stallAfter;
    if (stop === undefined) {
      response.end(body);
      return;
    }
    response.write(body.subarray(0, stop));
    if (breakAfter !== undefined) {
      const end = bytes.length - body.length + stop;
      const watch = setInterval(() => {
        if ((received?.() ?? end) < end && !response.closed) return;
        clearInterval(watch);
        response.destroy();
      }, 20);
    }
    if (stop === 0) response.flushHeaders();
  };
}

/** Sends elsewhere. */
export function redirect(location: string, status = 302): Answer {
  return (_, response) => response.writeHead(status, { location }).end();
}

/** An answer without a body. */
export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (_, response) => response.writeHead(code, headers).end();
}
