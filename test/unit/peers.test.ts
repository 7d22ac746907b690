/** Packages that are not installed with strata: what is said where one is missing, damaged, or of another version. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { LimitError, UnsupportedError } from "../../src/errors.js";
import { findPackage } from "../../src/node/packages.js";
import { checkPeer, isCompatible, PEERS, type PeerName, peerError, setPackageFinder } from "../../src/peers.js";

const PACKAGE = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const NAMES = Object.keys(PEERS) as PeerName[];
const sourceOf = (name: PeerName): string => ({ source: "", ...PEERS[name] }).source;

afterEach(() => setPackageFinder(findPackage));

const said = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("peers", () => {
  it("are those of package.json: optional, and developed with the version that errors name", () => {
    expect(PACKAGE.peerDependencies).toMatchObject(
      Object.fromEntries(NAMES.map((name) => [name, /opencv/.test(name) ? "*" : `^${PEERS[name].version}`])),
    );
    for (const name of NAMES) {
      expect(PACKAGE.peerDependenciesMeta[name]).toEqual({ optional: true });
      // 190 MB: .ci/run installs it, and tests without it say so.
      if (name === "@lancedb/lancedb") expect(PACKAGE.devDependencies[name]).toBeUndefined();
      else expect(PACKAGE.devDependencies[name]).toBe(sourceOf(name) + PEERS[name].version);
      expect(PACKAGE.dependencies[name]).toBeUndefined();
      if (name === "@lancedb/lancedb" && findPackage(name) === null) continue;
      expect(findPackage(name)?.version).toBe(PEERS[name].version);
      checkPeer(name);
    }
  });

  it.each(NAMES)(
    "%s: a missing package and one of another major version are told with the command that helps",
    (name) => {
      const { version } = PEERS[name];
      const command = `run "npm install ${name}@${sourceOf(name)}${version}"`;
      setPackageFinder(() => null);
      const missing = said(() => checkPeer(name)) as Error;
      expect(missing).toBeInstanceOf(UnsupportedError);
      expect(missing.message).toMatch(/^\S.* need the package \S+ \^\S+, which is not installed; /);
      expect(missing.message).toContain(command);
      setPackageFinder(() => ({ version: "999.0.0" }));
      const other = said(() => checkPeer(name)) as Error;
      expect(other).toBeInstanceOf(UnsupportedError);
      expect(other.message).toContain("999.0.0 is installed");
      expect(other.message).toContain(command);
      setPackageFinder(() => ({}));
      checkPeer(name);
    },
  );

  it("what an import says becomes the same sentence, a lack of memory stays one", async () => {
    const cause = await import("h5wasm-that-is-not-there" as string).catch((error: unknown) => error);
    expect(peerError("h5wasm", cause).message).toContain("which is not installed");
    const broken = peerError("h5wasm", new SyntaxError("Unexpected token\nline two"));
    expect(broken.message).toContain("which does not load (Unexpected token); ");
    // A package that is there, and lacks one of its own.
    const inner = Object.assign(new Error("Cannot find package 'streamx'"), { code: "ERR_MODULE_NOT_FOUND" });
    expect(peerError("tar-stream", inner).message).toContain("does not load (Cannot find package 'streamx')");
    expect(peerError("sql.js", new RangeError("WebAssembly.Memory(): could not allocate memory"))).toBeInstanceOf(
      LimitError,
    );
  });

  it("versions are compatible as npm's ^ has it", () => {
    const yes = [
      ["1.2.3", "1.2.3"],
      ["1.3.0", "1.2.3"],
      ["1.2.4", "1.2.3"],
      ["0.6.18", "0.6.17"],
    ];
    const no = [
      ["2.0.0", "1.2.3"],
      ["1.2.2", "1.2.3"],
      ["1.1.9", "1.2.3"],
      ["0.7.0", "0.6.17"],
      ["0.6.16", "0.6.17"],
      ["1.0.0", "0.6.17"],
      ["", "1.0.0"],
      ["x", "1.0.0"],
    ];
    expect(yes.map(([found, wanted]) => isCompatible(found, wanted))).toEqual(yes.map(() => true));
    expect(no.map(([found, wanted]) => isCompatible(found, wanted))).toEqual(no.map(() => false));
  });
});
