import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IoError, OptionError } from "../../../src/errors.js";
import { request, TransferError } from "../../../src/node/http.js";
import { type Environment, proxyFor } from "../../../src/node/proxy.js";
import { type Answer, redirect, serve } from "../../loopback.js";
import { type ProxyOptions, serveProxy, serveTls } from "../../proxy.js";

const shown = (address: string, environment: Environment) => proxyFor(new URL(address), environment)?.shown;

describe("proxyFor", () => {
  it("by the address's protocol, small letters first, with and without http://", () => {
    const environment = { HTTP_PROXY: "http://a:1", HTTPS_PROXY: "b.example:3128", https_proxy: undefined };
    expect(shown("http://x.org/f", environment)).toBe("http://a:1");
    expect(shown("https://x.org/f", environment)).toBe("http://b.example:3128");
    expect(shown("https://x.org/f", { ...environment, https_proxy: "https://c:2/" })).toBe("https://c:2");
    expect(shown("http://x.org/f", { ...environment, http_proxy: "" })).toBeUndefined();
    expect(shown("http://x.org/f", {})).toBeUndefined();
  });

  it("never shows its password", () => {
    const environment = { HTTPS_PROXY: "http://me:s3cret@p:1" };
    expect(shown("https://x.org/f", environment)).toBe("http://p:1");
  });

  it.each([
    ["x.org", true],
    ["X.ORG.", true],
    [".x.org", true],
    ["*.x.org", true],
    ["org", true],
    ["notx.org", false],
    ["x.or", false],
    ["y.org, a.x.org", true],
    ["b.x.org x.org:8443", false],
    ["x.org:443", true],
    ["*", true],
    ["", false],
    [",", false],
    ["10.0.0.0/8", false],
  ])("NO_PROXY=%s for a.x.org: %s", (exceptions, direct) => {
    const environment = { HTTPS_PROXY: "http://p:1", NO_PROXY: exceptions };
    expect(shown("https://a.x.org/f", environment)).toBe(direct ? undefined : "http://p:1");
  });

  it.each([
    ["http://10.1.2.3/", "10.0.0.0/8", true],
    ["http://11.1.2.3/", "10.0.0.0/8", false],
    ["http://10.1.2.3/", "10.1.2.3:80", true],
    ["http://10.1.2.3/", "2.3", false],
    ["http://10.1.2.3/", "10.0.0.0/99", false],
    ["http://10.1.2.3/", "nonsense/8", false],
    ["http://[::1]:8080/", "::1", true],
    ["http://[::1]:8080/", "[::1]:8080", true],
    ["http://[::1]:8080/", "[::1]:80", false],
    ["http://[fd00::7]/", "fd00::/8", true],
  ])("addresses by number: %s, NO_PROXY=%s: %s", (address, exceptions, direct) => {
    const environment = { HTTP_PROXY: "http://p:1", NO_PROXY: exceptions };
    expect(shown(address, environment)).toBe(direct ? undefined : "http://p:1");
  });

  it.each([
    [{ HTTPS_PROXY: "socks5://user:s3cret@p:1" }, /HTTPS_PROXY: proxies are reached by http:\/\/ or https:\/\//],
    [{ https_proxy: "http://user:s3cret@:1" }, /https_proxy is no address of a proxy; expected http:\/\/host:port/],
    [{ HTTPS_PROXY: "http://user:s3cret%@p:1" }, /HTTPS_PROXY: a "%" in user or password must be written %25/],
  ])("settings that name no proxy: %#", (environment, message) => {
    const failure = () => proxyFor(new URL("https://x.org/"), environment);
    expect(failure).toThrow(OptionError);
    expect(failure).toThrow(message);
    expect(failure).not.toThrow(/s3cret/);
  });
});

describe("request through a proxy", () => {
  const ends: (() => Promise<void>)[] = [];
  const body = "what was asked for";
  const good: Answer = (_, response) => response.end(body);
  beforeEach(() => {
    for (const name of ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await Promise.all(ends.splice(0).map((end) => end()));
  });

  const opened = <T extends { close(): Promise<void> }>(server: T): T => {
    ends.push(() => server.close());
    return server;
  };
  async function proxy(options: ProxyOptions = {}, login = "") {
    const server = opened(await serveProxy(options));
    vi.stubEnv("HTTP_PROXY", `http://${login}${server.host}`);
    vi.stubEnv("HTTPS_PROXY", `http://${login}${server.host}`);
    return server;
  }
  async function get(url: string, { stallMs = 600_000, signal }: { stallMs?: number; signal?: AbortSignal } = {}) {
    const headers = { authorization: "Basic abc" };
    const { answer } = await request(new URL(url), { headers, stallMs, signal });
    let text = "";
    for await (const piece of answer as AsyncIterable<Buffer>) text += piece;
    return `${answer.statusCode} ${text}`;
  }

  it("plain: the whole address is asked of the proxy; NO_PROXY goes around it", async () => {
    const { lines } = await proxy();
    const server = opened(await serve(good));
    expect(await get(server.url)).toBe(`200 ${body}`);
    expect(lines).toEqual([`GET ${server.url}`]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    expect(await get(server.url)).toBe(`200 ${body}`);
    expect(lines).toHaveLength(1);
  });

  it("https: through a tunnel, in which the proxy sees nothing; each redirect by its own rule", async () => {
    const { lines } = await proxy({ login: "me:s3cr%t" }, "me:s3cr%25t@");
    const server = opened(await serveTls(good));
    expect(await get(server.url)).toBe(`200 ${body}`);
    expect(lines).toEqual([`CONNECT ${new URL(server.url).host}`]);
    expect(server.requests[0]).not.toHaveProperty("proxy-authorization");
    const plain = opened(await serve(redirect(server.url)));
    expect(await get(plain.url)).toBe(`200 ${body}`);
    expect(lines.slice(1)).toEqual([`GET ${plain.url}`, `CONNECT ${new URL(server.url).host}`]);
    // Its authorization was for the first host.
    expect(server.requests[1].authorization).toBeUndefined();
  });

  it("a proxy that asks for a login, refuses, cannot reach the server, or is not there", async () => {
    const plain = opened(await serve(good));
    const secure = opened(await serveTls(good));
    const asking = await proxy({ login: "me:s3cret" }, "me:wr0ng@");
    for (const { url } of [plain, secure]) {
      await expect(get(url)).rejects.toThrow(IoError);
      await expect(get(url)).rejects.not.toThrow(TransferError);
      await expect(get(url)).rejects.toThrow(
        new RegExp(
          `cannot download ${url}: the proxy http://${asking.host} asks for a login; write it into HTTPS_PROXY`,
        ),
      );
      await expect(get(url)).rejects.not.toThrow(/wr0ng/);
    }
    await proxy({ refuse: 403 });
    await expect(get(secure.url)).rejects.toThrow(/the proxy .* does not let us through \(status 403\)/);
    await proxy({ refuse: 502 });
    await expect(get(secure.url)).rejects.toThrow(TransferError);
    const gone = await proxy();
    await gone.close();
    for (const { url } of [plain, secure]) {
      await expect(get(url)).rejects.toThrow(
        `${url}: the proxy refuses the connection (by the proxy http://${gone.host})`,
      );
    }
    expect([plain.requests, secure.requests]).toEqual([[], []]);
  });

  it("a proxy that says nothing stalls, and can be interrupted", async () => {
    const { lines } = await proxy({ silent: true });
    for (const url of ["https://127.0.0.1:1/file", "http://127.0.0.1:1/file"]) {
      await expect(get(url, { stallMs: 100 })).rejects.toThrow(/sent nothing for 0\.1 s \(by the proxy/);
      const stop = new AbortController();
      const before = lines.length;
      const interrupted = expect(get(url, { signal: stop.signal })).rejects.toThrow("stopped");
      await expect.poll(() => lines.length).toBe(before + 1);
      stop.abort(new Error("stopped"));
      await interrupted;
    }
  });
});
