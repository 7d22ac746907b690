import { chmodSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError } from "../../../src/errors.js";
import { LoginError } from "../../../src/node/http.js";
import { type Ask, basicAuthorization, findLogin, type LoginOptions } from "../../../src/node/models/login.js";
import { findMachine, parseNetrc, readNetrc } from "../../../src/node/models/netrc.js";
import { Random } from "../../../src/random.js";
import { cpuTime, machineUnit } from "../../cpu.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

describe("parseNetrc", () => {
  const short = (text: string) =>
    parseNetrc("netrc", text).map(({ machine, login, password }) => [machine, login, password]);

  it("entries on one line and on many, comments, macros, accounts, quoted values", () => {
    const text = `# mine
machine A.example login me password p1 # its comment
machine b.example
	login you
	account x
	password "with \\"quotes\\", spaces and \\\\"
macdef init
cd /machine login nobody
put x

machine c.example password #p3 login l3
default user anonymous password mail@x
`;
    expect(short(text)).toEqual([
      ["a.example", "me", "p1"],
      ["b.example", "you", 'with "quotes", spaces and \\'],
      ["c.example", "l3", "#p3"],
      [null, "anonymous", "mail@x"],
    ]);
    expect(short(text.replaceAll("\n", "\r\n"))).toEqual(short(text));
    expect(short("")).toEqual([]);
    expect(short("macdef last\nno end")).toEqual([]);
  });

  it.each([
    ["login me", /netrc, line 1: expected machine, default, login, password, account or macdef/],
    ["machine a\n\nlogin me\npasswort s3cret", /netrc, line 4: expected machine/],
    ["machine a login me password", /netrc, line 1: nothing follows "password"/],
    ['machine a\npassword "s3cret', /netrc, line 2: a quote is not closed/],
  ])("%j names the line, not what is in it", (text, message) => {
    expect(() => parseNetrc("netrc", text)).toThrow(FormatError);
    expect(() => parseNetrc("netrc", text)).toThrow(message);
    expect(() => parseNetrc("netrc", text)).not.toThrow(/s3cret/);
  });

  it("ends on anything, with entries or a FormatError that repeats nothing", () => {
    const random = new Random(3);
    const words = [
      "machine",
      "default",
      "login",
      "password",
      "macdef",
      "account",
      '"',
      "\\",
      "#",
      "\n",
      " ",
      "s3cret",
      "\n\n",
    ];
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: random.integer(20) }, () => words[random.integer(words.length)]).join(
        random.integer(2) ? " " : "",
      );
      try {
        parseNetrc("netrc", text);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as Error).message).not.toContain("s3cret");
      }
    }
  });

  it("is quick on a large file", () => {
    const text = "machine a.example login me password p\n".repeat(20_000);
    const start = cpuTime();
    expect(parseNetrc("netrc", text)).toHaveLength(20_000);
    expect(cpuTime() - start).toBeLessThan(300 * machineUnit());
  });

  it("finds the host, the login that is wanted, else the default", () => {
    const entries = parseNetrc("netrc", "machine a login x password 1 machine a login y password 2 default password 3");
    expect(findMachine(entries, "A")?.password).toBe("1");
    expect(findMachine(entries, "a", "y")?.password).toBe("2");
    expect(findMachine(entries, "a", "z")?.password).toBe("3");
    expect(findMachine(entries, "b")?.password).toBe("3");
    expect(findMachine(entries.slice(0, 2), "b")).toBeUndefined();
  });
});

describe("readNetrc", () => {
  it("NETRC, else ~/.netrc, else nothing; whether others can read it", async () => {
    const path = folder.path(".netrc");
    expect(await readNetrc({}, folder.path())).toBeUndefined();
    writeFileSync(path, "machine a login x password 1");
    chmodSync(path, 0o640);
    expect(await readNetrc({}, folder.path())).toMatchObject({ path, open: true });
    chmodSync(path, 0o600);
    expect(await readNetrc({}, folder.path())).toMatchObject({ path, open: false, entries: [{ machine: "a" }] });
    writeFileSync(folder.path("other"), "");
    expect(await readNetrc({ NETRC: folder.path("other") }, folder.path())).toMatchObject({ entries: [] });
    await expect(readNetrc({ NETRC: folder.path("none") }, folder.path())).rejects.toThrow(IoError);
  });
});

describe("findLogin", () => {
  const url = new URL("https://files.example/a");
  const netrc = (text: string, mode = 0o600) => {
    const path = folder.path(text === "" ? "empty" : "netrc");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const find = (more: Partial<LoginOptions> = {}, at = url) =>
    findLogin(at, { environment: { NETRC: netrc("") }, announced: true, warn: () => {}, ...more });

  it("the environment, for a server that was announced", async () => {
    const NETRC = netrc("machine files.example login n password np");
    const environment = { STRATA_USER: "me", STRATA_PASSWORD: "p", NETRC };
    expect(await find({ environment })).toEqual({
      user: "me",
      password: "p",
      source: "STRATA_USER and STRATA_PASSWORD",
    });
    // Any other server that asks gets what netrc has for it.
    expect(await find({ environment, announced: false })).toMatchObject({ user: "n", password: "np" });
  });

  it("netrc, for the user of the environment where one is set; told when others can read it", async () => {
    const NETRC = netrc("machine files.example login a password 1 machine files.example login b password 2", 0o644);
    const warned: string[] = [];
    const warn = (message: string) => warned.push(message);
    expect(await find({ environment: { NETRC }, warn })).toEqual({ user: "a", password: "1", source: NETRC });
    expect(warned).toEqual([`others can read ${NETRC}, which holds a password; chmod 600 it`]);
    expect(await find({ environment: { NETRC, STRATA_USER: "b" } })).toMatchObject({ user: "b", password: "2" });
  });

  it("whoever sits at the terminal; the password hidden", async () => {
    const asked: [string, boolean][] = [];
    const ask: Ask = async (question, { hidden }) => {
      asked.push([question, hidden]);
      return hidden ? "typed" : "me";
    };
    expect(await find({ ask })).toEqual({ user: "me", password: "typed", source: "you" });
    expect(asked).toEqual([
      ["User name for files.example: ", false],
      ["Password of me for files.example: ", true],
    ]);
    asked.length = 0;
    await find({ ask, environment: { NETRC: netrc(""), STRATA_USER: "set" } });
    expect(asked).toEqual([["Password of set for files.example: ", true]]);
  });

  it("nobody: says what to do", async () => {
    await expect(find()).rejects.toThrow(LoginError);
    await expect(find()).rejects.toThrow(
      /https:\/\/files\.example asks for a user and a password, and there are none: set STRATA_USER and STRATA_PASSWORD, write "machine files\.example login … password …" into ~\/\.netrc/,
    );
    // Half a login is none.
    await expect(find({ environment: { NETRC: netrc(""), STRATA_PASSWORD: "p" } })).rejects.toThrow(LoginError);
  });

  it("no password over an unprotected connection, but to this machine", async () => {
    const environment = { STRATA_USER: "me", STRATA_PASSWORD: "s3cret" };
    for (const address of ["http://files.example/a", "http://localhost.example/", "http://127.0.0.1.example/"]) {
      await expect(find({ environment }, new URL(address))).rejects.toThrow(/not sent over an unprotected connection/);
    }
    for (const address of ["http://127.0.0.1:8/", "http://localhost/", "http://[::1]:8/"]) {
      expect(await find({ environment }, new URL(address))).toMatchObject({ user: "me" });
    }
  });

  it("as a header, in UTF-8; what cannot be sent is refused without being repeated", () => {
    const login = { user: "Jürg", password: "pä:ss", source: "you" };
    const { authorization } = basicAuthorization(url, login);
    expect(Buffer.from(authorization.slice(6), "base64").toString()).toBe("Jürg:pä:ss");
    for (const wrong of [{ user: "a:b" }, { user: "" }, { password: "s3cret\r\nx: y" }]) {
      expect(() => basicAuthorization(url, { ...login, ...wrong })).toThrow(LoginError);
      expect(() => basicAuthorization(url, { ...login, ...wrong })).not.toThrow(/s3cret|a:b/);
    }
  });
});
