/** A proxy on loopback, and a server behind TLS, for tests of what fetches. */
import { createServer, type IncomingMessage, request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import type { Answer, Loopback } from "./loopback.js";

export interface ProxyOptions {
  /** Wants this user and password, as "user:password". */
  login?: string;
  /** Answers every CONNECT with this status. */
  refuse?: number;
  /** Takes connections and says nothing. */
  silent?: boolean;
}

export interface LoopbackProxy {
  /** "127.0.0.1:PORT". */
  host: string;
  /** First lines of the requests that it got: "GET http://…", "CONNECT host:port". */
  lines: string[];
  close(): Promise<void>;
}

/** Passes on plain requests and makes tunnels. */
export async function serveProxy({ login, refuse, silent = false }: ProxyOptions = {}): Promise<LoopbackProxy> {
  const lines: string[] = [];
  const expected = login && `Basic ${Buffer.from(login).toString("base64")}`;
  const refused = ({ headers }: IncomingMessage) => expected && headers["proxy-authorization"] !== expected;
  const server = createServer((asked, response) => {
    lines.push(`${asked.method} ${asked.url}`);
    if (silent) return;
    if (refused(asked)) {
      response.writeHead(407).end();
      return;
    }
    const { "proxy-authorization": _, "proxy-connection": __, ...headers } = asked.headers;
    const onward = request(asked.url ?? "", { headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.writeHead(502).end());
    onward.end();
  });
  const sockets: Socket[] = [];
  server.on("connect", (asked: IncomingMessage, client: Socket) => {
    lines.push(`CONNECT ${asked.url}`);
    sockets.push(client);
    client.on("error", () => {});
    if (silent) return;
    const status = refuse ?? (refused(asked) ? 407 : 200);
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const [host, port] = (asked.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(client).pipe(onward);
    });
    onward.on("error", () => client.destroy());
    sockets.push(onward);
  });
  const port = await listen(server);
  return {
    host: `127.0.0.1:${port}`,
    lines,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** As `serve`, at https://127.0.0.1:PORT/file, with a certificate that nobody has signed. */
export async function serveTls(...answers: Answer[]): Promise<Loopback> {
  const requests: IncomingMessage["headers"][] = [];
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (asked, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(asked.headers);
    answer(asked, response);
  });
  const port = await listen(server);
  return {
    url: `https://127.0.0.1:${port}/file`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Of localhost and 127.0.0.1, for these tests only: openssl req -x509 -newkey ec -days 36500. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvBPBtbDr/E2KChbF
flg/PUpnqEETfQx/CDviIVk27+OhRANCAAQaQ2qJZA07JD1IaJqi5Z2BQoQIZqLQ
byv7mfqQB9HEG+9LU7bkNIR9BJ5UYHbXqUWNIZvc1GxMCSH/3iPd+Y35
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUGb/7pF649EXGxSCm4jw5yhN2SIowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTE0MTk0M1oYDzIxMjYxMTAx
MTQxOTQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQaQ2qJZA07JD1IaJqi5Z2BQoQIZqLQbyv7mfqQB9HEG+9LU7bkNIR9
BJ5UYHbXqUWNIZvc1GxMCSH/3iPd+Y35o28wbTAdBgNVHQ4EFgQU0Tp+u/mBC6Nt
SvWzmXwJdSsK218wHwYDVR0jBBgwFoAU0Tp+u/mBC6NtSvWzmXwJdSsK218wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAMM4injgdyH6C1hcgymJRM2I8cB5zUxqawcNf8HydKmdAiEA
lFPY0cfHPm7lL9zwLVylIeAIn5zdHTLpMUAdWeoNLko=
-----END CERTIFICATE-----`;
