/** OpenCV as an optional package: what is said where it is missing, damaged or another one, and what is freed. */
import { describe, expect, it } from "vitest";
import { loadOpenCv, openPeer, versionOf, withMats } from "../../../src/bench/opencv/index.js";
import { loadOpenCv4 } from "../../../src/bench/opencv4/index.js";
import { UnsupportedError } from "../../../src/errors.js";

const NEEDS = "ORB's baselines need the package @techstark/opencv-js ^5.0.0-release.1, ";
const COMMAND = '; run "npm install @techstark/opencv-js@5.0.0-release.1"';

const of = (version: string) => ({ Mat: class {}, getBuildInformation: () => `General for OpenCV ${version} ===` });
const MISSING = "Cannot find package '@techstark/opencv-js' imported from here";

describe("a package of OpenCV", () => {
  it.each<[string, () => Promise<{ loaded: { opencv: unknown } }>, string]>([
    ["missing", () => failed("ERR_MODULE_NOT_FOUND", MISSING), "which is not installed"],
    ["damaged", () => failed("", "Unexpected token"), "which does not load (Unexpected token)"],
    ["empty", async () => ({ loaded: { opencv: undefined } }), "which does not load (it does not export OpenCV)"],
    ["of another major version", async () => ({ loaded: { opencv: of("4.12.0") } }), "and 4.12.0 is installed"],
    [
      "a later one, as a promise",
      async () => ({ loaded: { opencv: (async () => of("6.1.0"))() } }),
      "and 6.1.0 is installed",
    ],
  ])("%s is told with the command that helps", async (_, load, what) => {
    const error = await openPeer("@techstark/opencv-js", load).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect((error as Error).message).toBe(NEEDS + what + COMMAND);
  });

  it("of the same major version is taken", async () => {
    const cv = await openPeer("@techstark/opencv-js", async () => ({ loaded: { opencv: of("5.2.1") } }));
    expect(versionOf(cv)).toBe("5.2.1");
  });

  it("is loaded once for all callers, and the two do not mix", async () => {
    expect(await loadOpenCv()).toBe(await loadOpenCv());
    expect(versionOf(await loadOpenCv())).toMatch(/^5\./);
    expect(versionOf(await loadOpenCv4())).toMatch(/^4\./);
  });
});

async function failed(code: string, message: string): Promise<never> {
  throw Object.assign(new Error(message), { code });
}

describe("withMats", () => {
  it("frees in reverse order, also when the work throws", () => {
    const freed: string[] = [];
    const thing = (name: string) => ({ delete: () => void freed.push(name) });
    expect(withMats((keep) => [keep(thing("a")), keep(thing("b"))].length)).toBe(2);
    const broken = () =>
      withMats((keep) => {
        keep(thing("c"));
        throw new Error("no");
      });
    expect(broken).toThrow("no");
    expect(freed).toEqual(["b", "a", "c"]);
  });
});
