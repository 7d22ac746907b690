import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Context, Interrupted } from "../../../src/cli/context.js";
import { addPrepareMegadepth } from "../../../src/cli/train/prepare-megadepth.js";
import { IoError, OptionError } from "../../../src/errors.js";
import { readSceneInfo } from "../../../src/formats/scene-info.js";
import { prepareOptions, prepareScene } from "../../../src/node/train/prepare-scene.js";
import { temporaryFolder } from "../cli/fake.js";
import { wallModel, writeScene } from "./scenes.js";

const { path, remove } = temporaryFolder();
const base = path("base");
const out = path("out");

interface Run {
  code: number;
  out: string;
  err: string;
}

/** The command by itself; `interruptAfter` scenes the user presses Ctrl-C. */
async function run(argv: string[], interruptAfter = Infinity): Promise<Run> {
  const result: Run = { code: -1, out: "", err: "" };
  let settled = 0;
  const context: Context = {
    engine: { openExtractor: fail, describeModel: fail, describeRuntime: fail, describeKept: fail },
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    terminal: false,
    listenForInterrupt: () => {
      const { signal } = new AbortController();
      // Asked once for each scene that has settled.
      signal.throwIfAborted = () => {
        if (settled++ >= interruptAfter) throw new Interrupted();
      };
      return { signal, race: (work) => work, requested: false, release: () => {} };
    },
  };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addPrepareMegadepth(program, context, (code) => {
    result.code = code;
  });
  await program.parseAsync(["prepare-megadepth", ...argv], { from: "user" });
  return result;
}
const fail = () => Promise.reject(new Interrupted());
const made = async () => (await readdir(join(out, "scene_info")).catch(() => [])).sort();
const flags = ["--base", base, "--out", out, "--min-depth-bytes", "0"];

beforeAll(async () => {
  await writeScene(base, "A", wallModel(3));
  await writeScene(base, "B", wallModel(2), { binary: true });
  await mkdir(join(base, "Undistorted_SfM", "broken"), { recursive: true });
  await writeFile(path("two.txt"), "A\nB\n");
  await writeFile(path("three.txt"), "A\nbroken\nB\n");
});
beforeEach(() => rm(out, { recursive: true, force: true }));
afterAll(remove);

describe("prepare-megadepth", () => {
  it("writes a file per scene, from text and binary models alike", async () => {
    const { code, out: said, err } = await run([...flags, "--scenes", path("two.txt")]);
    expect([code, err]).toEqual([0, ""]);
    expect(said).toMatch(/^2 scenes written to .*scene_info \(5 images with depth, 8 pairs\); [\d.]+ s\n$/);
    expect(await made()).toEqual(["A.npz", "B.npz"]);
    const { views, overlap } = readSceneInfo(new Uint8Array(await readFile(join(out, "scene_info", "B.npz"))));
    expect(views.map(({ imagePath }) => imagePath)).toEqual([
      "Undistorted_SfM/B/images/0.png",
      "Undistorted_SfM/B/images/1.png",
      null,
    ]);
    expect(views[1].depthPath).toBe("phoenix/S6/zl548/MegaDepth_v1/B/dense0/depths/1.h5");
    expect([...overlap.slice(0, 3)]).toEqual([-1, 1, -1]);
  });

  it("goes on after scenes that cannot be made, and says which", async () => {
    const result = await run([...flags, "--scenes", path("three.txt"), "--json"]);
    expect(result.code).toBe(1);
    expect(result.err).toMatch(
      /^strata: scene broken: there is no COLMAP model for .*broken: cameras.txt or cameras.bin/,
    );
    const report = JSON.parse(result.out);
    expect(report.made).toEqual([
      { scene: "A", images: 3, withDepth: 3, points: 12, pairs: 6 },
      { scene: "B", images: 2, withDepth: 2, points: 12, pairs: 2 },
    ]);
    expect(report.failed).toEqual([
      { scene: "broken", code: "E_IO", message: expect.stringMatching(/no COLMAP model/) },
    ]);
    expect(await made()).toEqual(["A.npz", "B.npz"]);
  });

  it("takes every folder when no scenes are named, and skips what is there", async () => {
    const first = await run(flags);
    expect(first.out).toMatch(/^2 scenes written .*; 1 failed: broken; /);
    const time = async () => (await stat(join(out, "scene_info", "A.npz"))).mtimeMs;
    const before = await time();
    await rm(join(out, "scene_info", "B.npz"));
    const second = await run([...flags, "--scenes", path("two.txt")]);
    expect([second.code, await time()]).toEqual([0, before]);
    expect(second.out).toMatch(/^1 scenes written .*; 1 were there already; /);
    const third = await run([...flags, "--scenes", path("two.txt"), "--overwrite"]);
    expect(third.out).toMatch(/^2 scenes written/);
    expect(await time()).toBeGreaterThan(before);
    expect((await run([...flags, "--scenes", path("two.txt"), "--quiet"])).out).toBe("");
  });

  it("makes the same files with several jobs, and brings their errors home", async () => {
    await run([...flags, "--scenes", path("two.txt")]);
    const one = await readFile(join(out, "scene_info", "A.npz"));
    await rm(out, { recursive: true });
    const result = await run([...flags, "--scenes", path("three.txt"), "--jobs", "2", "--json"]);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.out).failed[0]).toMatchObject({ scene: "broken", code: "E_IO" });
    expect((await readFile(join(out, "scene_info", "A.npz"))).equals(one)).toBe(true);
    expect(await made()).toEqual(["A.npz", "B.npz"]);
  });

  it("stops when interrupted, with what is finished kept", async () => {
    const { code, err } = await run([...flags, "--scenes", path("two.txt")], 1);
    expect(code).toBe(130);
    expect(err).toMatch(/interrupted; 1 of 2 scenes are finished; the same command goes on/);
    expect(await made()).toContain("A.npz");
  });

  it("refuses folders that are not below the data set's", async () => {
    await expect(run([...flags, "--depths", path("elsewhere")])).rejects.toThrow(OptionError);
    expect(() => prepareOptions({ base, undistorted: "../x" })).toThrow(/--undistorted .* must lie in --base/);
    expect(prepareOptions({ base, depths: join(base, "..deep") }).depths).toBe(join(base, "..deep"));
    expect(() => prepareOptions({ base, images: 1 } as object)).toThrow(OptionError);
    await expect(run(["--out", out])).rejects.toThrow(/--base/);
    await expect(run([...flags, "--jobs", "0"])).rejects.toThrow(/--jobs/);
    await expect(run(["--base", path("nowhere"), "--out", out])).rejects.toThrow(IoError);
  });
});

describe("prepareScene", () => {
  const prepare = (scene: string, options = {}) => prepareScene(scene, out, { base, minDepthBytes: 0, ...options });

  it("needs depth maps that are none too small", async () => {
    await expect(prepare("A", { minDepthBytes: 1e6 })).rejects.toThrow(
      /none of its 3 images has a depth map of at least/,
    );
    await expect(prepare("nothing")).rejects.toThrow(/no such folder/);
    await expect(prepare("../A")).rejects.toThrow(OptionError);
    expect(await made()).toEqual([]);
  });

  it("leaves out images that are missing, and refuses names that lead out", async () => {
    await writeScene(base, "part", wallModel(3));
    await rm(join(base, "Undistorted_SfM", "part", "images", "1.png"));
    expect(await prepare("part")).toMatchObject({ images: 3, withDepth: 2, pairs: 2 });
    const model = wallModel(2);
    model.images[1].name = "../../A/images/0.png";
    await writeScene(base, "sly", wallModel(2));
    await writeScene(base, "sly2", { ...model, images: [] });
    await expect(prepare("sly2")).rejects.toThrow(/images.txt has no images/);
    const { textModel } = await import("./models.js");
    await writeFile(join(base, "Undistorted_SfM", "sly", "sparse-txt", "images.txt"), textModel(model).images);
    await expect(prepare("sly")).rejects.toThrow(/leads out/);
  });
});

it("is known to the help of its parent", () => {
  const parent = new Command("train");
  addPrepareMegadepth(parent, {} as Context, () => {});
  expect(parent.helpInformation()).toMatch(/prepare-megadepth/);
});
