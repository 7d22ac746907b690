/**
 * `strata models`, whole, against servers on loopback that break, lie, redirect, ask for a login and serve a wrong file, and
 * through a proxy. Whatever happens, no password appears in any output or file.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Context, Interrupted } from "../../src/cli/context.js";
import { nodeEngine } from "../../src/cli/engine.js";
import { main } from "../../src/cli/main.js";
import { FormatError } from "../../src/errors.js";
import type { ModelEntry } from "../../src/model/registry-entry.js";
import { TransferError } from "../../src/node/http.js";
import { fetchModel } from "../../src/node/models/fetch.js";
import type { Ask } from "../../src/node/models/login.js";
import { Random } from "../../src/random.js";
import { type Answer, file, type Loopback, redirect, serve, status } from "../loopback.js";
import { serveProxy, serveTls } from "../proxy.js";
import { savePlain, temporaryFolder } from "../unit/cli/fake.js";

const random = new Random(11);
const BYTES = Uint8Array.from({ length: 200_000 }, () => random.integer(256));
const OTHER = Uint8Array.from(BYTES, (byte) => byte ^ 255);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const [USER, PASSWORD] = ["me", "pä:ss-s3cret"];
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;

let folder: ReturnType<typeof temporaryFolder>;
let servers: { close(): Promise<void> }[];
/** All that any run has printed. */
let printed: string;

beforeEach(() => {
  folder = temporaryFolder();
  servers = [];
  printed = "";
  vi.stubEnv("STRATA_HOME", folder.path("home"));
  vi.stubEnv("NETRC", netrc(""));
  const unset = ["STRATA_USER", "STRATA_PASSWORD", "STRATA_REGISTRY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
  for (const name of [...unset, "http_proxy", "https_proxy", "no_proxy"]) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.map((server) => server.close()));
  for (const secret of [PASSWORD, BASIC.slice(6), "wr0ng"]) {
    expect(printed).not.toContain(secret);
    const files = readdirSync(folder.path(), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const { parentPath, name } of files.filter(({ name }) => name !== "netrc")) {
      expect(readFileSync(join(parentPath, name)).includes(secret), name).toBe(false);
    }
  }
  folder.remove();
});

function opened<T extends { close(): Promise<void> }>(server: T): T {
  servers.push(server);
  return server;
}
const server = async (...answers: Answer[]): Promise<Loopback> => opened(await serve(...answers));

/** Answers only who has the login. */
const locked =
  (answer: Answer): Answer =>
  (request, response) => {
    if (request.headers.authorization === BASIC) answer(request, response);
    else response.writeHead(401, { "www-authenticate": 'Basic realm="models"' }).end();
  };

function netrc(text: string): string {
  const path = folder.path("netrc");
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** A registry of one model at that address, which STRATA_REGISTRY names. */
function register(address: string | null, more: Record<string, unknown> = {}): ModelEntry {
  const entry = {
    name: "mine",
    kind: "reference",
    address,
    file: "mine.ckpt",
    size: null,
    sha256: sha(BYTES),
    licence: "MIT",
    login: false,
    ...more,
  };
  const path = folder.path("registry.json");
  writeFileSync(path, JSON.stringify({ version: 1, models: [entry] }));
  vi.stubEnv("STRATA_REGISTRY", path);
  return { sha256Prefix: null, config: null, shipped: false, note: "", ...entry } as ModelEntry;
}

/** The command line in this process. */
async function strata(
  argv: readonly string[],
  { ask, interruptWhen }: { ask?: Ask; interruptWhen?: () => boolean } = {},
) {
  let [out, err] = ["", ""];
  let stop: (reason: Interrupted) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  stopped.catch(() => {});
  const timer = setInterval(() => interruptWhen?.() && stop(new Interrupted()), 5);
  const context: Context = {
    engine: nodeEngine,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    ask,
    listenForInterrupt: () => ({
      signal: new AbortController().signal,
      race: (work) => Promise.race([stopped, work]),
      requested: false,
      release: () => {},
    }),
  };
  const code = await main(argv, context);
  clearInterval(timer);
  printed += out + err;
  return { code, out, err };
}
const models = (...argv: string[]) => strata(["models", ...argv]);
const home = (...parts: string[]) => folder.path("home", "models", ...parts);
const left = () => (existsSync(home("mine")) ? readdirSync(home("mine")).sort() : []);
const received = () => (existsSync(home("mine/mine.ckpt.part")) ? statSync(home("mine/mine.ckpt.part")).size : 0);
const authorizations = ({ requests }: { requests: IncomingMessage["headers"][] }) =>
  requests.map(({ authorization }) => authorization);

describe("strata models download", () => {
  it("takes up a connection that broke, checks, keeps; then works without a network, until it is removed", async () => {
    const etag = '"1"';
    const { url, requests, close } = await server(
      file(BYTES, { etag, breakAfter: 70_000, received }),
      file(BYTES, { etag }),
    );
    register(url, { size: BYTES.length });
    const first = await models("download", "mine");
    expect(first.code, first.err).toBe(0);
    expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=70000-"]);
    expect(first.err).toMatch(/strata: fetching http.*\/file\nstrata: .* trying again in 1 s\n/);
    expect(first.out).toContain(
      `mine: ${home("mine/mine.ckpt")}, 200,000 bytes\n  SHA-256 ${sha(BYTES)} (as expected)`,
    );
    expect(first.out).toContain("next: strata extract IMAGE --model mine");
    expect(left()).toEqual(["download.json", "mine.ckpt"]);

    await close();
    const again = await models("download", "mine", "--json");
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(again.out)).toEqual([
      {
        name: "mine",
        path: home("mine/mine.ckpt"),
        bytes: BYTES.length,
        sha256: sha(BYTES),
        checkedBy: "sha256",
        from: url,
        fetched: false,
        import: false,
      },
    ]);
    // The registry it was in is not needed any more.
    vi.stubEnv("STRATA_REGISTRY", undefined);
    const listed = JSON.parse((await models("list", "--cached", "--json")).out);
    expect(listed.models).toMatchObject([{ name: "mine", state: "downloaded", bytesOnDisk: expect.any(Number) }]);
    expect((await models("list")).out).toMatch(/mine +reference +200\.0 kB +downloaded +MIT/);

    expect((await models("remove", "mine", "resnet18-imagenet1k-v1")).code).toBe(2);
    expect(left()).toHaveLength(2);
    const freed = listed.models[0].bytesOnDisk;
    expect(JSON.parse((await models("remove", "mine", "--json")).out)).toEqual({
      removed: [{ name: "mine", bytes: freed }],
      freed,
    });
    expect(freed).toBeGreaterThan(BYTES.length);
    expect(existsSync(home("mine"))).toBe(false);
  });

  it("keeps a wrong file aside and does not use it", async () => {
    const bad = await server(file(OTHER));
    register(bad.url);
    const wrong = await models("download", "mine");
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain(
      `expected SHA-256 ${sha(BYTES)}, the file has ${sha(OTHER)} (200000 bytes); it is kept as ${home("mine/mine.ckpt.bad")} and not used`,
    );
    expect(left()).toEqual(["mine.ckpt.bad"]);
    expect((await models("list", "--cached")).out).toMatch(/nothing usable/);
    const used = await strata(["info", "mine"]);
    expect(used.err).toBe(
      'strata: the model "mine" is not on this machine; get it with "strata models download mine"\n',
    );
    const { url } = await server(file(BYTES));
    register(url);
    expect((await models("download", "mine")).code).toBe(0);
    expect((await models("remove", "mine")).out).toMatch(/removed mine: 400\.\d kB freed/);
  });

  it("checks by the first digits where no more is known, and says when nothing is", async () => {
    const { url } = await server(file(BYTES));
    register(url, { sha256: null, sha256Prefix: sha(BYTES).slice(0, 8) });
    expect((await models("download", "mine")).out).toContain("its first digits are as expected; more is not known");
    rmSync(home(), { recursive: true });
    register(url, { sha256: null, sha256Prefix: sha(OTHER).slice(0, 8) });
    const wrong = await models("download", "mine");
    expect(wrong.err).toContain(`expected SHA-256 ${sha(OTHER).slice(0, 8)}…, the file has ${sha(BYTES)}`);
    expect(left()).toEqual(["mine.ckpt.bad"]);
    register(url, { sha256: null });
    const unchecked = await models("download", "mine");
    expect(unchecked.err).toContain("note: neither the connection is protected nor a checksum known");
    expect(unchecked.out).toContain(`SHA-256 ${sha(BYTES)} (not checked, for no checksum is known here`);
    // One that the user knows is compared also with what is there.
    expect((await models("download", "mine", "--sha256", sha(BYTES).toUpperCase())).out).toMatch(
      /nothing was fetched.*\n.*as expected/,
    );
    expect((await models("download", "mine", "--sha256", sha(OTHER))).code).toBe(1);
  });

  it("fetches anew what has changed in the cache", async () => {
    const { url, requests } = await server(file(BYTES));
    register(url);
    await models("download", "mine");
    writeFileSync(home("mine/mine.ckpt"), OTHER);
    expect((await models("info", "mine")).err).toMatch(/not a file of weights/);
    const again = await models("download", "mine");
    expect(again.err).toMatch(/mine\.ckpt has changed since it was fetched; it is kept as .*\.bad and fetched anew/);
    expect(sha(readFileSync(home("mine/mine.ckpt")))).toBe(sha(BYTES));
    expect(requests).toHaveLength(2);
  });

  it("servers that lie about lengths", async () => {
    const entry = register((await server(file(BYTES))).url, { size: 199_999 });
    expect((await models("download", "mine")).err).toContain(
      "expected a file of 199999 bytes, the server has one of 200000",
    );
    expect(left()).toEqual([]);
    const short: Answer = (_, response) => {
      response.writeHead(200, { "content-length": BYTES.length + 5 });
      response.write(BYTES, () => response.destroy());
    };
    const lying = { ...entry, size: null, address: (await server(short)).url };
    const quick = { retries: 1, backoff: 0.01, stall: 600 };
    await expect(fetchModel(lying, quick)).rejects.toThrow(TransferError);
    await expect(fetchModel(lying, quick)).rejects.toThrow(/the connection broke.*; gave up after \d tries/);
    // The length is a lie, the file is not: told by its checksum.
    const cut: Answer = (_, response) =>
      response.writeHead(200, { "content-length": 1000 }).end(BYTES.subarray(0, 1000));
    const fewer = { ...entry, size: null, address: (await server(cut)).url };
    await expect(fetchModel(fewer, quick)).rejects.toThrow(FormatError);
    await expect(fetchModel({ ...fewer, size: BYTES.length }, quick)).rejects.toThrow(/the server has one of 1000/);
  });

  it("no network, no server, no such file, no address", async () => {
    const entry = register("http://127.0.0.1:9/file");
    const quick = { retries: 1, backoff: 0.01, stall: 600 };
    await expect(fetchModel(entry, quick)).rejects.toThrow(/the server refuses the connection; gave up after 2 tries/);
    const nowhere = { ...entry, address: "https://nowhere.invalid/file" };
    await expect(fetchModel(nowhere, { ...quick, retries: 0 })).rejects.toThrow(/no network|is there a network\?/);
    register((await server(status(404))).url);
    expect(await models("download", "mine")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/there is no such file \(status 404\)/),
    });
    register(null, { note: "Ask the authors." });
    const none = await models("download", "mine");
    expect(none).toMatchObject({ code: 1, out: "" });
    expect(none.err).toContain(
      '"mine": no address is known to fetch it from. Ask the authors. A mirror that has it is given with --base-url',
    );
  });

  it("a mirror: its address and the file's name; no password in it", async () => {
    const paths: string[] = [];
    const mirror = await server((request, response) => {
      paths.push(request.url ?? "");
      file(BYTES)(request, response);
    });
    const base = mirror.url.replace("/file", "");
    register(null, { file: "a+b.ckpt" });
    expect((await models("download", "mine", "--base-url", `${base}/deep%20er/?key=1`)).code).toBe(0);
    expect(paths).toEqual(["/deep%20er/a%2Bb.ckpt?key=1"]);
    for (const wrong of [`http://${USER}:wr0ng@127.0.0.1:1/`, "ftp://x/", "mirror"]) {
      const refused = await models("download", "mine", "resnet18-imagenet1k-v1", "--base-url", wrong);
      expect([refused.code, refused.err.split("\n").length]).toEqual([2, 2]);
    }
  });

  it("one process at a time; a lock whose process is gone does not count", async () => {
    const { url } = await server(file(BYTES, { stallAfter: 50_000 }), file(BYTES));
    const entry = register(url);
    const stop = new AbortController();
    const first = fetchModel(entry, { signal: stop.signal });
    first.catch(() => {});
    await expect.poll(received).toBe(50_000);
    const second = await models("download", "mine");
    expect(second).toMatchObject({ code: 1, out: "" });
    expect(second.err).toBe(
      `strata: another strata (process ${process.pid} on ${hostname()}) is at work in ${home("mine")}; wait until it is done, or remove ${home("mine/.strata.lock")} if it is not running\n`,
    );
    expect((await models("remove", "mine")).code).toBe(1);
    stop.abort(new Interrupted());
    await expect(first).rejects.toThrow(Interrupted);
    writeFileSync(home("mine/.strata.lock"), `${2 ** 30} 1 ${hostname()}\n`);
    expect((await models("download", "mine")).code).toBe(0);
    expect(left()).toEqual(["download.json", "mine.ckpt"]);
  });

  it("interrupted, it goes on", async () => {
    const etag = '"1"';
    const { url, requests } = await server(file(BYTES, { etag, stallAfter: 50_000 }), file(BYTES, { etag }));
    register(url);
    const stopped = await strata(["models", "download", "mine"], { interruptWhen: () => received() >= 50_000 });
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain("interrupted; what has arrived is kept");
    expect((await models("list")).out).toMatch(/mine .* partly downloaded/);
    expect((await models("download", "mine")).code).toBe(0);
    expect(requests[1].range).toBe("bytes=50000-");
  });

  it.each([
    [["download"], /missing required argument/],
    [["download", "mine", "--password", "x"], /unknown option/],
    [["download", "nothing"], /no model "nothing" in the registry/],
    [["download", "a", "b", "--sha256", "0".repeat(64)], /name one model/],
    [["download", "mine", "--sha256", "xyz"], /64 hexadecimal digits/],
    [["remove", "../mine"], /no model "\.\.\/mine" in the cache/],
    [["remove", "strata-s"], /comes with strata and is not in the cache/],
    [["info", "nothing"], /no model "nothing"/],
  ])("wrong command lines: %j", async (argv, message) => {
    register("http://127.0.0.1:9/file");
    expect(await models(...argv)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  it("what comes with strata needs no download; a broken registry is told", async () => {
    expect(await models("download", "strata-s")).toMatchObject({
      code: 0,
      out: "strata-s comes with strata: nothing to fetch\n",
    });
    writeFileSync(folder.path("r.json"), '{"version": 1, "models": [{}]}');
    const broken = await models("list", "--registry", folder.path("r.json"));
    expect(broken).toMatchObject({ code: 1, err: expect.stringMatching(/r\.json: models\[0\]: missing "name"/) });
  });
});

describe("logins", () => {
  const environment = (user: string, password: string) => {
    vi.stubEnv("STRATA_USER", user);
    vi.stubEnv("STRATA_PASSWORD", password);
  };

  it("from the environment: right, wrong, and not for a server that was not announced", async () => {
    const asking = await server(locked(file(BYTES)));
    register(asking.url, { login: true });
    environment(USER, PASSWORD);
    expect((await models("download", "mine")).code).toBe(0);
    // Nothing is sent before it is asked for.
    expect(authorizations(asking)).toEqual([undefined, BASIC]);
    rmSync(home(), { recursive: true });
    environment(USER, "wr0ng");
    const wrong = await models("download", "mine");
    expect(wrong.code).toBe(1);
    expect(wrong.err).toMatch(/refused the user name or password from STRATA_USER and STRATA_PASSWORD\n$/);
    register(asking.url, { login: false });
    expect((await models("download", "mine")).err).toMatch(/asks for a user and a password, and there are none/);
    expect(authorizations(asking)).toHaveLength(5);
    // A mirror that is named is trusted.
    environment(USER, PASSWORD);
    expect((await models("download", "mine", "--base-url", asking.url)).code).toBe(0);
  });

  it("absent: says where it can come from, and what the registry knows", async () => {
    const asking = await server(locked(file(BYTES)));
    register(asking.url, { login: true, note: "Ask the authors." });
    const { code, err } = await models("download", "mine");
    expect(code).toBe(1);
    expect(err).toMatch(
      /note: Ask the authors\.\nstrata: http:.* asks for a user and a password, and there are none: set STRATA_USER/,
    );
    expect(left()).toEqual([]);
  });

  it("from netrc, of which others should not read", async () => {
    const asking = await server(locked(file(BYTES)));
    register(asking.url);
    vi.stubEnv("NETRC", netrc(`machine 127.0.0.1\n  login ${USER}\n  password "${PASSWORD}"\n`));
    expect((await models("download", "mine")).code).toBe(0);
    rmSync(home(), { recursive: true });
    vi.stubEnv("NETRC", netrc(`machine elsewhere login ${USER} password ${PASSWORD}`));
    expect((await models("download", "mine")).code).toBe(1);
    vi.stubEnv("NETRC", netrc("machine 127.0.0.1 login me passwort wr0ng"));
    expect((await models("download", "mine")).err).toMatch(/netrc, line 1: expected machine, default/);
  });

  it("from whoever sits at the terminal, once for all files of a model, and with Ctrl-C", async () => {
    const asking = await server(
      locked((request, response) =>
        request.url?.endsWith("config.json") ? response.end("{}") : file(BYTES)(request, response),
      ),
    );
    const config = { address: `${asking.url}/config.json`, size: null, sha256: null };
    register(asking.url, { kind: "strata", config });
    const asked: string[] = [];
    const ask: Ask = async (question, { hidden }) => {
      asked.push(question);
      return hidden ? PASSWORD : USER;
    };
    const done = await strata(["models", "download", "mine"], { ask });
    expect(done.code, done.err).toBe(0);
    expect(asked).toHaveLength(2);
    expect(authorizations(asking)).toEqual([undefined, BASIC, BASIC]);
    expect(left()).toEqual(["config.json", "download.json", "model.safetensors"]);
    rmSync(home(), { recursive: true });
    const stop: Ask = () => Promise.reject(new Interrupted());
    expect((await strata(["models", "download", "mine"], { ask: stop })).code).toBe(130);
  });

  it("goes to no other host after a redirect, which gets none of its own either", async () => {
    const elsewhere = await server(file(BYTES));
    const asking = await server(locked(redirect(elsewhere.url)));
    register(asking.url, { login: true });
    environment(USER, PASSWORD);
    expect((await models("download", "mine")).code).toBe(0);
    expect(authorizations(asking)).toEqual([undefined, BASIC]);
    expect(authorizations(elsewhere)).toEqual([undefined]);
    rmSync(home(), { recursive: true });
    const thief = await server(locked(file(BYTES)));
    register((await server(redirect(thief.url))).url, { login: true });
    const { code, err } = await models("download", "mine");
    expect(code).toBe(1);
    expect(err).toContain(`${new URL(thief.url).origin}, to which it redirects, asks for a user name`);
    expect(authorizations(thief)).toEqual([undefined]);
  });

  it("is not sent over an unprotected connection", async () => {
    // Through a proxy, so that the host needs not be there.
    const asking = await server(locked(file(BYTES)));
    vi.stubEnv("HTTP_PROXY", new URL(asking.url).origin);
    register("http://models.example/mine.ckpt", { login: true });
    environment(USER, PASSWORD);
    expect((await models("download", "mine")).err).toMatch(
      /http:\/\/models\.example asks for a password, which is not sent over/,
    );
    expect(authorizations(asking)).toEqual([undefined]);
  });

  it("through a proxy with a login of its own, inside TLS", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const proxy = opened(await serveProxy({ login: `${USER}:wr0ng` }));
    vi.stubEnv("HTTPS_PROXY", `http://${USER}:wr0ng@${proxy.host}`);
    const asking = opened(await serveTls(locked(file(BYTES))));
    register(asking.url, { login: true });
    environment(USER, PASSWORD);
    const { code, err } = await models("download", "mine");
    expect(code, err).toBe(0);
    expect(proxy.lines).toEqual(Array(2).fill(`CONNECT ${new URL(asking.url).host}`));
    expect(authorizations(asking)).toEqual([undefined, BASIC]);
    rmSync(home(), { recursive: true });
    vi.stubEnv("HTTPS_PROXY", `http://${proxy.host}`);
    expect((await models("download", "mine")).err).toMatch(/the proxy http:\/\/127\.0\.0\.1:\d+ asks for a login/);
    const wrong = register(asking.url, { login: true });
    await proxy.close();
    await expect(fetchModel(wrong, { retries: 0 })).rejects.toThrow(/the proxy refuses the connection/);
  });
});

describe("models of the cache", () => {
  const OWN = "models/strata-s";

  it("a model folder is used by its name, told by info, and both of its files are checked", async () => {
    const weights = readFileSync(`${OWN}/model.safetensors`);
    const config = readFileSync(`${OWN}/config.json`);
    const { url } = await server((request, response) =>
      file(request.url?.endsWith("config.json") ? config : weights)(request, response),
    );
    const base = url.replace("/file", "");
    const more = {
      kind: "strata",
      file: "model.safetensors",
      sha256: sha(weights),
      config: { address: `${base}/config.json`, size: config.length, sha256: sha(config) },
    };
    register(`${base}/model.safetensors`, more);
    expect((await models("download", "mine")).code).toBe(0);
    await savePlain(folder.path("a.png"), 90);
    const extracted = await strata(["extract", folder.path("a.png"), "--model", "mine", "--json"]);
    expect(extracted.code, extracted.err).toBe(0);
    const info = JSON.parse((await models("info", "mine", "--json")).out);
    expect(info).toMatchObject({
      name: "mine",
      kind: "strata",
      state: "downloaded",
      bytes: weights.length,
      sha256: sha(weights),
      licence: "MIT",
      from: `${base}/model.safetensors`,
      architecture: { kind: "strata", parameters: 356_008, usable: true },
    });
    const imported = await models("import", "mine", "--out", folder.path("imported"), "--json");
    expect(imported.code, imported.err).toBe(0);
    expect(JSON.parse(imported.out)).toMatchObject({ kind: "strata", parameters: 356_008 });
    const text = (await models("info", OWN)).out;
    expect(text).toMatch(/architecture +5 levels \(16, 32, 64, 128, 128 channels\), 64-d\n/);
    expect(text).toMatch(new RegExp(`sha256 +${sha(weights)} \\(as the registry says of `));
    writeFileSync(home("mine/config.json"), "{}");
    expect((await models("download", "mine")).err).toMatch(/fetching .*config\.json/);
    expect(sha(readFileSync(home("mine/config.json")))).toBe(sha(config));
  });

  it("what has to be imported first says so", async () => {
    const { url } = await server(file(BYTES));
    for (const [kind, name] of [
      ["torchvision", "mine.pth"],
      ["delg", "mine.tar.gz"],
    ]) {
      register(url, { kind, file: name });
      const done = await models("download", "mine");
      expect(done.out).toContain("next: strata models import mine --out FOLDER\n");
      expect((await models("list")).out).toMatch(/mine .* downloaded, to import/);
      const used = await strata(["info", "mine"]);
      expect(used.code).toBe(2);
      expect(used.err).toContain(
        `${home("mine", name)}, which is not strata's: turn it into a model folder with "strata models import mine --out FOLDER"`,
      );
      rmSync(home("mine"), { recursive: true });
    }
  });

  it("an unknown name, a damaged record, and what else lies in the cache", async () => {
    expect((await strata(["info", "nothing"])).err).toMatch(
      /no model "nothing": it is neither .* "strata models list"/,
    );
    mkdirSync(home("mine"), { recursive: true });
    mkdirSync(home("broken"));
    mkdirSync(home(".hidden"));
    writeFileSync(home("file"), "");
    writeFileSync(home("broken/download.json"), '{"kind": "reference", "file": "../../../etc/passwd"}');
    const { url } = await server(file(BYTES));
    register(url);
    writeFileSync(home("mine/download.json"), "not JSON");
    writeFileSync(home("mine/mine.ckpt"), OTHER);
    const listed = JSON.parse((await models("list", "--cached", "--json")).out).models;
    expect(listed.map(({ name, state }: Record<string, string>) => [name, state])).toEqual([
      ["mine", "other"],
      ["broken", "other"],
    ]);
    expect((await models("download", "mine")).code).toBe(0);
    expect(sha(readFileSync(home("mine/mine.ckpt")))).toBe(sha(BYTES));
  });
});
