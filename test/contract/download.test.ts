/**
 * `strata bench download hpatches`, whole, against a server on loopback that serves a small archive of sequences in
 * HPatches' layout: good, breaking, changing, lying.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type BenchDownloadFlags, benchDownloadCommand } from "../../src/cli/bench/download-hpatches.js";
import { type Context, Interrupted } from "../../src/cli/context.js";
import { StrataError } from "../../src/errors.js";
import { openSequences } from "../../src/node/bench/sequences.js";
import { type Answer, file, type Loopback, serve, status } from "../loopback.js";
import { temporaryFolder } from "../unit/cli/fake.js";

const NAMES = ["i_dark", "i_dc", "v_talent", "v_wall", "i_contruction"];
const KEPT = ["i_dark", "v_wall"];
let archive: Buffer;
let folder: ReturnType<typeof temporaryFolder>;
let out: string;
let servers: Loopback[];

/** An archive of sequences; `without` is a file that is left out. */
async function release(names: readonly string[], { top = "hpatches-sequences-release/", without = "" } = {}) {
  const tar = pack();
  const add = (name: string, content: string | Uint8Array) => {
    if (name !== without) tar.entry({ name: top + name }, Buffer.from(content));
  };
  add("._dust", "Finder's");
  for (const [i, name] of names.entries()) {
    for (let k = 1; k <= 6; k++) {
      // Noise, so that the archive does not shrink to nothing.
      const data = Uint8Array.from({ length: 3 * 60 * 40 }, (_, at) => ((at + 1) * 2654435761 * (k + i)) >>> 13);
      add(`${name}/${k}.ppm`, Buffer.concat([Buffer.from("P6 60 40 255\n"), data]));
      if (k > 1) add(`${name}/H_1_${k}`, `1 0 ${k}\n0 1 0\n0 0 1\n`);
    }
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

beforeAll(async () => {
  archive = await release(NAMES);
});
beforeEach(() => {
  folder = temporaryFolder();
  out = folder.path("data", "hpatches");
  servers = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.map((server) => server.close()));
  folder.remove();
});

/** Serves answers; what asks for the checksum beside the archive gets `checksum`, and is not counted. */
async function server(checksum: string | null, ...answers: Answer[]): Promise<Loopback> {
  let next = 0;
  const loopback = await serve((request, response) => {
    if (!request.url?.includes(".sha256")) answers[Math.min(next++, answers.length - 1)](request, response);
    else if (checksum === null) response.writeHead(404).end();
    else response.end(checksum);
  });
  servers.push(loopback);
  return loopback;
}

/** Runs the command; errors are told as text, as the command line does. */
async function run(flags: Partial<BenchDownloadFlags> = {}, interruptWhen = () => false) {
  let [text, log] = ["", ""];
  let stop: (reason: Interrupted) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  stopped.catch(() => {});
  const timer = setInterval(() => interruptWhen() && stop(new Interrupted()), 10);
  const context: Context = {
    engine: {
      openExtractor: () => Promise.reject(new Error("not asked for here")),
      describeModel: () => Promise.reject(new Error("not asked for here")),
      describeRuntime: () => Promise.reject(new Error("not asked for here")),
      describeKept: () => Promise.reject(new Error("not asked for here")),
    },
    out: (piece) => {
      text += piece;
    },
    err: (piece) => {
      log += piece;
    },
    terminal: false,
    listenForInterrupt: () => ({
      signal: new AbortController().signal,
      race: (work) => Promise.race([stopped, work]),
      requested: false,
      release: () => clearInterval(timer),
    }),
  };
  try {
    return { code: await benchDownloadCommand("hpatches", { out, verify: true, ...flags }, context), text, log };
  } catch (error) {
    if (!(error instanceof StrataError)) throw error;
    return { code: error.code, text, log: log + error.message };
  }
}

const sequences = () => readdirSync(out).filter((name) => !name.startsWith("."));

describe("strata bench download hpatches", () => {
  it("fetches over a connection that breaks half-way, unpacks, leaves out the large ones, and is done", async () => {
    const etag = '"1"';
    const half = Math.floor(archive.length / 2);
    const part = `${out}.tar.gz.part`;
    const received = () => (existsSync(part) ? statSync(part).size : 0);
    const { url, requests } = await server(
      null,
      file(archive, { etag, breakAfter: half, received }),
      file(archive, { etag }),
    );
    const first = await run({ url });
    expect(first.code, first.log).toBe(0);
    expect(requests.map(({ range }) => range)).toEqual([undefined, undefined, `bytes=${half}-`]);
    expect(sequences()).toEqual(KEPT);
    expect(readdirSync(folder.path("data"))).toEqual(["hpatches"]);
    expect(first.text).toContain("2 sequences in");
    expect(first.text).toContain("left out for their resolution: i_contruction, i_dc, v_talent");
    expect(first.text).toContain(`SHA-256: ${sha(archive)} (not checked, for no checksum is known here`);
    expect(first.log).toContain("neither the connection is protected nor a checksum known");
    expect(first.log).toContain("the archive has 2 sequences, the HPatches release 108");
    // The evaluation reads it.
    const opened = await openSequences(out);
    expect(opened.sequences.map(({ name, pairs }) => [name, pairs.length])).toEqual(KEPT.map((name) => [name, 5]));
    expect(opened.sequences[1].pairs[1].homography[2]).toBe(3);

    const again = await run({ url });
    expect(again).toMatchObject({ code: 0, log: "" });
    expect(again.text).toContain("complete, nothing to fetch");
    expect(requests).toHaveLength(3);
  });

  it("--all keeps all; without it they are taken away later, and come back with it", async () => {
    const { url, requests } = await server(null, file(archive));
    const all = await run({ url, all: true, json: true });
    expect(JSON.parse(all.text)).toMatchObject({ sequences: 5, removed: [], wasComplete: false, verifiedBy: null });
    expect(sequences()).toEqual([...NAMES].sort());
    const less = await run({ url, json: true });
    expect(JSON.parse(less.text)).toMatchObject({ sequences: 2, wasComplete: true, sha256: sha(archive) });
    expect(JSON.parse(less.text).removed).toEqual(["i_contruction", "i_dc", "v_talent"]);
    expect(sequences()).toEqual(KEPT);
    expect(requests).toHaveLength(2);
    expect((await run({ url, all: true })).code).toBe(0);
    expect(sequences()).toHaveLength(5);
  });

  it("a folder that lost a file is made anew, from the archive that was kept", async () => {
    const { url, requests } = await server(null, file(archive));
    await run({ url, keepArchive: true });
    expect(readdirSync(folder.path("data")).sort()).toEqual(["hpatches", "hpatches.tar.gz"]);
    rmSync(`${out}/v_wall/3.ppm`);
    const before = requests.length;
    const { code, log } = await run({ url, keepArchive: true, verify: false });
    expect(code, log).toBe(0);
    expect(log).toContain("hpatches.tar.gz is there and is used");
    expect(existsSync(`${out}/v_wall/3.ppm`)).toBe(true);
    expect(requests).toHaveLength(before);
  });

  it("checks the archive: by flag, by a file beside it, by the server's", async () => {
    const good = await server(`${sha(archive)}  hpatches.tar.gz\n`, file(archive));
    const byServer = await run({ url: `${good.url}?token=secret` });
    expect(byServer.text).toContain(`(as ${good.url}.sha256 says)`);
    rmSync(out, { recursive: true });
    const byFlag = await run({ url: good.url, sha256: sha(archive).toUpperCase() });
    expect(byFlag.text).toContain("(as --sha256 says)");
    rmSync(out, { recursive: true });

    for (const [checksum, flags] of [
      ["0".repeat(64), {}],
      [null, { sha256: "0".repeat(64) }],
    ] as const) {
      const lying = await server(checksum, file(archive));
      const wrong = await run({ url: lying.url, ...flags });
      expect(wrong.code).toBe("E_FORMAT");
      expect(wrong.log).toMatch(new RegExp(`expected SHA-256 0{64}, the file has ${sha(archive)}`));
      expect(readdirSync(folder.path("data"))).toEqual(["hpatches.tar.gz.bad"]);
      rmSync(folder.path("data", "hpatches.tar.gz.bad"));
    }
    // A page in place of a checksum is none.
    const page = await server("<html>not found</html>", file(archive));
    expect((await run({ url: page.url })).text).toContain("not checked");
    rmSync(out, { recursive: true });
    const ignored = await server("0".repeat(64), file(archive));
    expect((await run({ url: ignored.url, verify: false })).code).toBe(0);
  });

  it("takes a local archive and leaves it where it is", async () => {
    const path = folder.path("mine.tar.gz");
    writeFileSync(path, archive);
    const { code, text } = await run({ archive: path, json: true });
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ sequences: 2, sha256: sha(archive), verifiedBy: null });
    expect(sha(readFileSync(path))).toBe(sha(archive));
    rmSync(out, { recursive: true });
    writeFileSync(`${path}.sha256`, `${"0".repeat(64)}  mine.tar.gz\n`);
    const wrong = await run({ archive: path });
    expect(wrong.log).toMatch(/expected SHA-256 0{64} \(.*mine\.tar\.gz\.sha256\), it has .*; not unpacked/);
    expect(existsSync(out)).toBe(false);
    writeFileSync(`${path}.sha256`, "no checksum");
    expect((await run({ archive: path })).log).toMatch(/mine\.tar\.gz\.sha256: expected a SHA-256/);
    writeFileSync(path, (await release(NAMES, { top: "" })).subarray());
    expect((await run({ archive: path, verify: false })).code).toBe(0);
    expect(sequences()).toEqual(KEPT);
  });

  it("says what is wrong with an archive, keeps a fetched one and leaves no folder", async () => {
    const cases: [Uint8Array, RegExp][] = [
      [Buffer.from("<!doctype html>"), /begins with .*a web page/],
      [archive.subarray(0, archive.length / 2), /truncated/],
      [await release(["other", "things"]), /no sequences in it: expected folders i_… and v_…/],
      [await release(KEPT, { without: "v_wall/H_1_4" }), /sequences are not whole:\n {2}v_wall: no H_1_4/],
    ];
    for (const [bytes, message] of cases) {
      const { url } = await server(null, file(bytes));
      const { code, log } = await run({ url });
      expect(code).toBe("E_FORMAT");
      expect(log).toMatch(message);
      expect(readdirSync(folder.path("data"))).toEqual(["hpatches.tar.gz"]);
      rmSync(folder.path("data", "hpatches.tar.gz"));
    }
    const gone = await server(null, status(404));
    expect(await run({ url: gone.url })).toMatchObject({ code: "E_IO", log: expect.stringMatching(/no such file/) });
    expect((await run({ archive: folder.path("nowhere.tar.gz") })).log).toMatch(/there is no such file/);
  });

  it("leaves alone a folder that is somebody else's", async () => {
    mkdirSync(`${out}/v_mine`, { recursive: true });
    writeFileSync(`${out}/v_mine/1.ppm`, "P6");
    const { code, log } = await run({ url: "http://127.0.0.1:1/" });
    expect(code).toBe("E_IO");
    expect(log).toMatch(/was not made by this command: it has 0 whole sequences .*--out/);
    expect(readdirSync(out)).toEqual(["v_mine"]);
    // The release, unpacked by hand, is whole by its number.
    for (let i = 0; i < 108; i++) {
      mkdirSync(`${out}/v_${i}`);
      for (let k = 1; k <= 6; k++) {
        writeFileSync(`${out}/v_${i}/${k}.ppm`, "P6");
        if (k > 1) writeFileSync(`${out}/v_${i}/H_1_${k}`, "1");
      }
    }
    rmSync(`${out}/v_mine`, { recursive: true });
    expect((await run()).text).toContain("108 sequences in");
  });

  it("interrupted it says so, and goes on where it stopped", async () => {
    const etag = '"1"';
    const { url, requests } = await server(null, file(archive, { etag, stallAfter: 20_000 }), file(archive, { etag }));
    const part = `${out}.tar.gz.part`;
    const stopped = await run({ url }, () => existsSync(part) && statSync(part).size === 20_000);
    expect(stopped.code).toBe(130);
    expect(stopped.log).toMatch(/interrupted; what has arrived is kept/);
    expect(statSync(part).size).toBe(20_000);
    expect((await run({ url })).code).toBe(0);
    expect(requests.at(-1)?.range).toBe("bytes=20000-");
    expect(readdirSync(folder.path("data"))).toEqual(["hpatches"]);
  });

  it.each(["/", "/.", "//"])("the folder may be given with %s at its end", async (end) => {
    const { url } = await server(null, file(archive));
    expect(await run({ url, out: `${out}${end}` })).toMatchObject({ code: 0 });
    expect(sequences()).toEqual(KEPT);
    expect(readdirSync(folder.path("data"))).toEqual(["hpatches"]);
  });

  it("the address is a setting", async () => {
    const { url } = await server(null, file(archive));
    vi.stubEnv("STRATA_HPATCHES_URL", url);
    expect((await run()).code).toBe(0);
    vi.stubEnv("STRATA_HPATCHES_URL", "nonsense");
    rmSync(out, { recursive: true });
    expect(await run()).toMatchObject({ code: "E_OPTION", log: expect.stringMatching(/address that begins with/) });
  });

  it.each([
    [{ url: "http://a/", archive: "b" }, /--url or --archive, not both/],
    [{ sha256: "0".repeat(64), verify: false }, /--sha256 or --no-verify, not both/],
    [{ out: " " }, /--out needs the name of a folder/],
    [{ sha256: "12" }, /64 hexadecimal digits, got "12"/],
    [{ url: "ftp://a/b" }, /begins with https/],
  ])("wrong flags are refused: %j", async (flags, message) => {
    expect(await run(flags)).toMatchObject({ code: "E_OPTION", log: expect.stringMatching(message) });
  });
});
