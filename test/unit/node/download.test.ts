import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError, LimitError, OptionError } from "../../../src/errors.js";
import { type DownloadOptions, downloadFile, downloadText } from "../../../src/node/download.js";
import { TransferError } from "../../../src/node/http.js";
import { isLocked } from "../../../src/node/lock.js";
import { Random } from "../../../src/random.js";
import {
  type Answer,
  type FileOptions,
  type Loopback,
  redirect,
  serve,
  file as serveFile,
  status,
} from "../../loopback.js";
import { temporaryFolder } from "../cli/fake.js";

const random = new Random(5);
const BYTES = Uint8Array.from({ length: 300_000 }, () => random.integer(256));
const OTHER = Uint8Array.from(BYTES, (byte) => byte ^ 255);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
let servers: Loopback[];
beforeEach(() => {
  folder = temporaryFolder();
  path = folder.path("down", "file.bin");
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  folder.remove();
});

async function server(...answers: Answer[]): Promise<Loopback> {
  const loopback = await serve(...answers);
  servers.push(loopback);
  return loopback;
}

const get = (url: string, more: Partial<DownloadOptions> = {}) =>
  downloadFile({ url, path, backoff: 0.01, stall: 600, retries: 3, ...more });
/** Breaks off when the client has kept all that was sent. */
const file = (bytes: Uint8Array, options: FileOptions = {}): Answer =>
  serveFile(bytes, { received: () => (existsSync(`${path}.part`) ? statSync(`${path}.part`).size : 0), ...options });
const left = () => (existsSync(folder.path("down")) ? readdirSync(folder.path("down")).sort() : []);
const expectWhole = (bytes = BYTES) => {
  expect(sha(readFileSync(path))).toBe(sha(bytes));
  expect(left()).toEqual(["file.bin"]);
};

describe("downloadFile", () => {
  it("gets a file, says how far it is, and leaves nothing else", async () => {
    const { url, requests } = await server(file(BYTES));
    const seen: number[] = [];
    const done = await get(url, { onProgress: ({ received, total }) => seen.push(received, total ?? -1) });
    expect(done).toEqual({ path, bytes: BYTES.length, sha256: sha(BYTES), fetched: true });
    expectWhole();
    expect(requests).toHaveLength(1);
    // Compressed on the way, lengths and ranges would not be the file's.
    expect(requests[0]["accept-encoding"]).toBe("identity");
    expect(seen.slice(0, 2)).toEqual([0, BYTES.length]);
    expect(seen.slice(-2)).toEqual([BYTES.length, BYTES.length]);
  });

  it("a connection that breaks is taken up where it broke", async () => {
    const etag = '"a"';
    const { url, requests } = await server(file(BYTES, { etag, breakAfter: 100_000 }), file(BYTES, { etag }));
    const progress: number[] = [];
    await get(url, { onProgress: ({ arrived }) => progress.push(arrived) });
    expectWhole();
    expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
    expect(requests[1]["if-range"]).toBe(etag);
    // No byte came twice.
    expect(progress.at(-1)).toBe(BYTES.length);
  });

  it("goes on by the date where there is no ETag, or a weak one", async () => {
    const lastModified = "Mon, 02 Jan 2017 03:04:05 GMT";
    for (const etag of [undefined, 'W/"a"']) {
      const { url, requests } = await server(
        file(BYTES, { etag, lastModified, breakAfter: 1000 }),
        file(BYTES, { etag, lastModified }),
      );
      await get(url);
      expect(requests[1]).toMatchObject({ range: "bytes=1000-", "if-range": lastModified });
    }
  });

  it("a second call goes on where the first gave up", async () => {
    const etag = '"a"';
    const breaking = await server(file(BYTES, { etag, breakAfter: 70_000 }), status(503));
    const failure = get(breaking.url, { retries: 2 });
    await expect(failure).rejects.toThrow(TransferError);
    await expect(failure).rejects.toThrow(
      /status 503.*gave up after 3 tries; 70000 bytes are kept in .*file\.bin\.part/,
    );
    expect(left()).toEqual(["file.bin.part", "file.bin.part.json"]);
    expect(readFileSync(`${path}.part.json`, "utf8")).not.toContain("127.0.0.1");
    await breaking.close();
    // The note belongs to the address: another one is begun anew.
    const other = await server(file(OTHER, { etag }));
    await get(other.url);
    expect(other.requests[0].range).toBeUndefined();
    expectWhole(OTHER);
  });

  it("resumes over calls at one address; with all there it only asks", async () => {
    const etag = '"a"';
    const { url, requests } = await server(file(BYTES, { etag, breakAfter: 70_000 }), file(BYTES, { etag }));
    await expect(get(url, { retries: 0 })).rejects.toThrow(/the connection broke.*after 1 try/);
    writeFileSync(`${path}.part`, BYTES);
    await get(url);
    expect(requests[1].range).toBe("bytes=300000-");
    expectWhole();
  });

  it("a file that changed between two tries is begun anew", async () => {
    const { url, requests } = await server(
      file(BYTES, { etag: '"a"', breakAfter: 99_000 }),
      file(OTHER, { etag: '"b"' }),
    );
    await get(url);
    expect(requests).toHaveLength(2);
    expectWhole(OTHER);
  });

  it("a server that ignores If-Range is found out by its ETag, its date or its length", async () => {
    const ignoring = (bytes: Uint8Array, etag?: string): Answer => {
      const careless = file(bytes, { etag });
      return (request, response) => {
        delete request.headers["if-range"];
        careless(request, response);
      };
    };
    for (const [first, second] of [
      ['"a"', ignoring(OTHER, '"b"')],
      ['"a"', ignoring(OTHER.subarray(0, 200_000), undefined)],
    ] as const) {
      const { url, requests } = await server(file(BYTES, { etag: first, breakAfter: 99_000 }), second);
      const done = await get(url);
      expect([sha(OTHER), sha(OTHER.subarray(0, 200_000))]).toContain(done.sha256);
      expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=99000-", undefined]);
    }
  });

  it("a file that became shorter (416) is begun anew", async () => {
    const short = OTHER.subarray(0, 5000);
    const { url } = await server(file(BYTES, { etag: '"a"', breakAfter: 99_000 }), status(416), file(short));
    await get(url);
    expectWhole(short);
  });

  it("without ranges it starts over, and gives up when no try gets further", async () => {
    const half = file(BYTES, { etag: '"a"', breakAfter: 150_000, ranges: false });
    const good = await server(half, half, file(BYTES, { ranges: false }));
    await get(good.url);
    expectWhole();
    const bad = await server(half);
    await expect(get(bad.url)).rejects.toThrow(/gave up after 4 tries/);
    expect(bad.requests).toHaveLength(4);
  });

  it("without ETag and date a part is not trusted, but with a checksum it is", async () => {
    const { url, requests } = await server(
      file(BYTES, { breakAfter: 50_000 }),
      file(BYTES, { breakAfter: 50_000 }),
      file(BYTES),
    );
    await expect(get(url, { retries: 0 })).rejects.toThrow(TransferError);
    await expect(get(url, { retries: 0 })).rejects.toThrow(TransferError);
    expect(requests[1].range).toBeUndefined();
    await get(url, { sha256: sha(BYTES) });
    expect(requests[2].range).toBe("bytes=50000-");
    expectWhole();
  });

  it("a wrong checksum: the file is kept aside and not used, both hashes are named", async () => {
    const { url } = await server(file(OTHER));
    const failure = get(url, { sha256: sha(BYTES).toUpperCase() });
    await expect(failure).rejects.toThrow(FormatError);
    await expect(failure).rejects.toThrow(new RegExp(`expected SHA-256 ${sha(BYTES)}, the file has ${sha(OTHER)}`));
    expect(left()).toEqual(["file.bin.bad"]);
  });

  it("the right file is not fetched again, a wrong one is replaced", async () => {
    const { url, requests } = await server(file(BYTES));
    mkdirSync(folder.path("down"));
    writeFileSync(path, BYTES);
    expect(await get(url, { sha256: sha(BYTES) })).toMatchObject({ fetched: false, bytes: BYTES.length });
    expect(requests).toHaveLength(0);
    writeFileSync(path, OTHER);
    expect(await get(url, { sha256: sha(BYTES) })).toMatchObject({ fetched: true });
    expectWhole();
  });

  it("lengths that lie: too few bytes, too many, another than expected", async () => {
    const few = await server((_, response) => {
      response.writeHead(200, { "content-length": BYTES.length + 10, etag: '"a"' });
      response.write(BYTES, () => setTimeout(() => response.destroy(), 100));
    });
    await expect(get(few.url, { retries: 1 })).rejects.toThrow(/connection broke/);
    expect(existsSync(path)).toBe(false);
    // With ranges, a total that does not fit what comes.
    const many = await server(file(BYTES, { etag: '"a"', breakAfter: 1000 }), (_, response) => {
      response.writeHead(206, { "content-range": `bytes 1000-299999/${BYTES.length}`, etag: '"a"' });
      response.end(BYTES);
    });
    await expect(get(many.url, { retries: 0 })).rejects.toThrow(TransferError);
    await expect(get(many.url, { retries: 0 })).rejects.toThrow(/sent more than the 300000 bytes/);
    const wrong = await server(file(BYTES));
    await expect(get(wrong.url, { size: 5 })).rejects.toThrow(
      /expected a file of 5 bytes, the server has one of 300000/,
    );
    await expect(get(wrong.url, { size: 5 })).rejects.toThrow(FormatError);
    // Without any announced length the size decides.
    const silent = await server((_, response) => {
      response.write(BYTES.subarray(0, 10));
      response.end();
    });
    await expect(get(silent.url, { size: 11 })).rejects.toThrow(
      /expected a file of 11 bytes, the server has one of 10/,
    );
    expect(existsSync(path)).toBe(false);
  });

  it("a body that never ends is ended at what is known of its length, and not kept", async () => {
    let sent = 0;
    const endless: Answer = (_, response) => {
      const more = () => {
        while (!response.closed && response.write(BYTES)) sent += BYTES.length;
      };
      response.on("drain", more);
      more();
    };
    const { url, requests } = await server(endless);
    await expect(get(url, { size: 400_000 })).rejects.toThrow(/expected a file of 400000 bytes, the server sends more/);
    await expect(get(url, { size: 400_000 })).rejects.toThrow(FormatError);
    await expect(get(url, { maxBytes: 500_000 })).rejects.toThrow(
      /expected a file of at most 500000 bytes, the server sends more/,
    );
    await expect(get(url, { maxBytes: 500_000 })).rejects.toThrow(LimitError);
    // Sockets hold some more than was asked for.
    expect([requests.length, sent < 1e9, left()]).toEqual([4, true, []]);
    // A partial answer that does not say how much there is, of a part that is there.
    const etag = '"a"';
    const partial = await server(file(BYTES, { etag, breakAfter: 1000 }), (request, response) => {
      response.writeHead(206, { "content-range": "bytes 1000-299999/*", etag });
      endless(request, response);
    });
    await expect(get(partial.url, { size: BYTES.length })).rejects.toThrow(/300000 bytes, the server sends more/);
    expect(left()).toEqual([]);
    const announced = await server(file(BYTES));
    await expect(get(announced.url, { maxBytes: 10 })).rejects.toThrow(
      /at most 10 bytes, the server has one of 300000/,
    );
    expect((await get(announced.url, { maxBytes: BYTES.length })).bytes).toBe(BYTES.length);
  });

  it("a part that is longer than the file can be is begun anew", async () => {
    mkdirSync(folder.path("down"));
    const { url } = await server(file(OTHER, { etag: '"a"', breakAfter: 200_000 }), file(BYTES.subarray(0, 1000)));
    await expect(get(url, { retries: 0 })).rejects.toThrow(TransferError);
    await get(url, { size: 1000 });
    expectWhole(BYTES.subarray(0, 1000));
  });

  it("one process fetches into a place; the lock of one that was killed does not count", async () => {
    const { url } = await server(file(BYTES, { stallAfter: 1000 }), file(BYTES));
    const stop = new AbortController();
    const first = get(url, { signal: stop.signal, onProgress: ({ received }) => received === 1000 && came() });
    let came = () => {};
    await new Promise<void>((resolve) => {
      came = resolve;
      first.catch(() => {});
    });
    const error = await get(url).catch((reason) => reason);
    expect([isLocked(error), error.message.includes(`is at work in ${path};`)]).toEqual([true, true]);
    stop.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    writeFileSync(folder.path("down", ".file.bin.strata.lock"), `${2 ** 30} 1 ${hostname()}\n`);
    await get(url);
    expectWhole();
  });

  it("redirects are followed, in a circle not, and to other schemes not", async () => {
    const to = await server(file(BYTES));
    const from = await server(redirect(to.url), redirect("/elsewhere", 308), redirect(to.url));
    await get(from.url);
    expectWhole();
    const relative = await server(redirect("/file", 301), file(OTHER));
    await get(relative.url);
    expectWhole(OTHER);
    const circle = await server(redirect("/file"));
    await expect(get(circle.url)).rejects.toThrow(/more than 10 redirects/);
    expect(circle.requests).toHaveLength(11);
    for (const [location, message] of [
      ["file:///etc/passwd", /redirects to file:, which is no web address/],
      ["http://", /redirects to nowhere/],
    ] as const) {
      const odd = await server(redirect(location));
      await expect(get(odd.url)).rejects.toThrow(message);
      expect(odd.requests).toHaveLength(1);
    }
  });

  it("credentials go to their host only, and are not shown", async () => {
    const foreign = await server(file(BYTES));
    const own = await server(redirect("/again"), redirect(foreign.url));
    const headers = { authorization: "Bearer secret-token", "x-token": "secret-token" };
    await get(own.url, { headers });
    expect(own.requests.map(({ authorization }) => authorization)).toEqual([
      headers.authorization,
      headers.authorization,
    ]);
    expect(foreign.requests[0].authorization).toBeUndefined();
    expect(foreign.requests[0]["x-token"]).toBeUndefined();
    const refusing = await server(status(401));
    const secret = refusing.url.replace("http://", "http://user:secret-word@");
    const failure = await get(`${secret}?token=secret-token`, { headers }).catch((error: Error) => error);
    expect((failure as Error).message).toMatch(/asks for a user name, password or token \(status 401\)/);
    expect((failure as Error).message).not.toContain("secret");
    expect(refusing.requests[0].authorization).toMatch(/^Bearer|^Basic/);
    await expect(get("ftp://user:secret@host/x")).rejects.toThrow(/got "ftp:\/\/…@host\/x"/);
  });

  it("answers that no new try helps end at once; busy servers are asked again", async () => {
    for (const [code, message] of [
      [404, /no such file/],
      [403, /not allowed/],
      [410, /gone/],
      [206, /unexpected answer/],
    ] as const) {
      const { url, requests } = await server(status(code));
      await expect(get(url)).rejects.toThrow(message);
      await expect(get(url)).rejects.toThrow(IoError);
      expect(requests).toHaveLength(2);
    }
    const busy = await server(status(503), status(429), status(500), file(BYTES));
    await get(busy.url);
    expectWhole();
    const patient = await server(status(429, { "retry-after": "1" }), file(BYTES));
    const started = performance.now();
    await get(patient.url);
    expect(performance.now() - started).toBeGreaterThan(950);
  });

  it("servers that never answer, stall in the middle, or are not there", async () => {
    const mute = await server(() => {});
    await expect(get(mute.url, { stall: 0.1, retries: 1 })).rejects.toThrow(
      /sent nothing for 0\.1 s; gave up after 2 tries/,
    );
    const etag = '"a"';
    const stalling = await server(file(BYTES, { etag, stallAfter: 10_000 }), file(BYTES, { etag }));
    await get(stalling.url, { stall: 1 });
    expect(stalling.requests[1].range).toBe("bytes=10000-");
    expectWhole();
    const deaf = createServer();
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
    const { port } = deaf.address() as { port: number };
    await new Promise((resolve) => deaf.close(resolve));
    await expect(get(`http://127.0.0.1:${port}/x`, { retries: 0 })).rejects.toThrow(/refuses the connection/);
    const noise = createServer((socket) => socket.end("this is no web server\r\n\r\n"));
    await new Promise<void>((resolve) => noise.listen(0, "127.0.0.1", resolve));
    const { port: other } = noise.address() as { port: number };
    await expect(get(`http://127.0.0.1:${other}/x`, { retries: 0 })).rejects.toThrow(TransferError);
    noise.close();
  });

  it("can be stopped, keeps what has come, and goes on later", async () => {
    const etag = '"a"';
    const { url, requests } = await server(file(BYTES, { etag, stallAfter: 60_000 }), file(BYTES, { etag }));
    const stop = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ received }: { received: number }) => {
      if (received >= 60_000) stop.abort(reason);
    };
    await expect(get(url, { signal: stop.signal, onProgress })).rejects.toBe(reason);
    await expect(get(url, { signal: stop.signal })).rejects.toBe(reason);
    expect(left()).toEqual(["file.bin.part", "file.bin.part.json"]);
    await get(url);
    expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=60000-"]);
    expectWhole();
    // Also while it waits for the next try.
    const busy = await server(status(503));
    const waiting = new AbortController();
    setTimeout(() => waiting.abort(reason), 50);
    await expect(get(busy.url, { backoff: 60, signal: waiting.signal })).rejects.toBe(reason);
  });

  it.runIf(existsSync("/dev/full"))("says that the disk is full", async () => {
    const { url, requests } = await server(file(BYTES));
    mkdirSync(folder.path("down"));
    symlinkSync("/dev/full", `${path}.part`);
    const failure = get(url);
    await expect(failure).rejects.toThrow(IoError);
    await expect(failure).rejects.toThrow(/cannot write .*file\.bin\.part: the disk is full/);
    // The disk is no reason to ask the server again.
    expect(requests).toHaveLength(1);
  });

  it("a place that cannot be written to, and a damaged note", async () => {
    const { url, requests } = await server(file(BYTES, { etag: '"a"' }));
    writeFileSync(folder.path("blocked"), "");
    await expect(get(url, { path: folder.path("blocked", "x") })).rejects.toThrow(IoError);
    mkdirSync(folder.path("down", "file.bin"), { recursive: true });
    await expect(get(url)).rejects.toThrow(/cannot write .*file\.bin/);
    folder.remove();
    mkdirSync(folder.path("down"), { recursive: true });
    writeFileSync(`${path}.part`, OTHER.subarray(0, 100));
    writeFileSync(`${path}.part.json`, '{"address": 5');
    await get(url);
    expect(requests.every(({ range }) => range === undefined)).toBe(true);
    expectWhole();
  });

  it("options are checked", async () => {
    const url = "http://127.0.0.1:1/x";
    for (const [wrong, message] of [
      [{ url: "nowhere" }, /expected an address that begins with https:\/\//],
      [{ url: "" }, /expected an address/],
      [{ path: "" }, /"path" must name/],
      [{ sha256: "abc" }, /64 hexadecimal digits, got "abc"/],
      [{ retries: -1 }, /"retries" must be/],
      [{ backoff: 100 }, /"backoff" must be/],
      [{ stall: 0 }, /"stall" must be/],
      [{ size: 1.5 }, /"size" must be/],
      [{ sizes: 1 }, /unknown option "sizes"/],
    ] as const) {
      await expect(get(url, wrong as Partial<DownloadOptions>)).rejects.toThrow(message);
      await expect(get(url, wrong as Partial<DownloadOptions>)).rejects.toThrow(OptionError);
    }
  });
});

describe("downloadText", () => {
  it("gives a short text, null where there is none or too much", async () => {
    const { url } = await server((_, response) => response.end("häsh  name\n"));
    expect(await downloadText(url, { limit: 100 })).toBe("häsh  name\n");
    expect(await downloadText(url, { limit: 5 })).toBe(null);
    const none = await server(status(404));
    expect(await downloadText(none.url, { limit: 100 })).toBe(null);
    const broken = await server(status(500));
    await expect(downloadText(broken.url, { limit: 100 })).rejects.toThrow(TransferError);
    const stalling = await server(file(BYTES, { stallAfter: 10 }));
    await expect(downloadText(stalling.url, { limit: 100, stall: 0.1 })).rejects.toThrow(/sent nothing/);
  });
});
