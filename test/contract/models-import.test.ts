/** `strata models import` as people run it, and what they do next: extract, train, put heads on a backbone. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { ndarray } from "../../src/formats/ndarray.js";
import { readNpz } from "../../src/formats/npz.js";
import { resizeImage } from "../../src/image/resize.js";
import { saveImage } from "../../src/node/images.js";
import { checkpointBytes, referenceTensors, type StateDict } from "../models.js";
import { torchvisionTensors } from "../resnets.js";
import { runStrata } from "./command.js";

const MODEL2 = "cfe16_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm";
let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-models-import-"));
  const write = (name: string, tensors: StateDict) => writeFileSync(at(name), checkpointBytes(tensors));
  write(`${MODEL2}.ckpt`, referenceTensors());
  write(`${MODEL2}_SHARED.ckpt`, referenceTensors());
  write("shared.ckpt", referenceTensors({ attention: "shared_multi_attention_model2", headsOnly: true }));
  write("resnet18.pth", torchvisionTensors(18));
  const broken = torchvisionTensors(18);
  for (const name of [...broken.keys()].filter((key) => key.startsWith("layer4.1."))) broken.delete(name);
  broken.set("layer4.1.bn2.bias", ndarray(new Float32Array(512)));
  broken.set("conv1.weight", ndarray(new Float32Array(64 * 9), [64, 1, 3, 3]));
  write("broken.pth", broken);
  mkdirSync(at("photos"));
  const [{ a, b }, other] = [drawDemoPair(1), drawDemoPair(2)];
  for (const [i, image] of [a, b, other.a].entries()) {
    await saveImage(at("photos", `${i}.png`), resizeImage(image, 160, 120));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strata = (...args: string[]) => runStrata(folder, args);

const points = (file: string) => readNpz(readFileSync(at(file))).keypoints.shape[0];

describe("strata models import", () => {
  it("makes a model of a checkpoint; extract finds what it finds with the checkpoint itself", () => {
    const made = strata("models", "import", `${MODEL2}.ckpt`, "--out", "final");
    expect([made.code, made.err]).toEqual([0, ""]);
    expect(made.out).toMatch(
      new RegExp(`^${MODEL2.replace("+", "\\+")}: checkpoint of the reference, now a reference model\n`),
    );
    expect(made.out).toContain(
      "backbone resnet18, attention multi_attention_model2, descriptorDim 16, preprocessing torch",
    );
    expect(made.out).toContain("not used: 2 tensors\n  feature_encoder.resnet.fc.weight [10, 512]");
    expect(made.out).toMatch(/missing, and not needed to extract: 3 tensors\n {2}feature_encoder\.d1\.0\.bias\n/);
    expect(readdirSync(at("final")).sort()).toEqual(["config.json", "model.safetensors"]);
    const bytes: Buffer[] = [];
    for (const model of ["final", `${MODEL2}.ckpt`]) {
      expect(strata("extract", "photos/0.png", "--model", model, "--thresh", "0", "--out", `of-${model}`).code).toBe(0);
      bytes.push(readFileSync(at(`of-${model}`, "0.png.strata.npz")));
    }
    expect(readNpz(bytes[0]).keypoints).toEqual(readNpz(bytes[1]).keypoints);
    expect(strata("info", "final").out).toContain(`"path":"${MODEL2}.ckpt"`);
  });

  it("makes a backbone that is trained on, and that heads are put on", () => {
    const made = strata("models", "import", "resnet18.pth", "--out", "trunk", "--json");
    const report = JSON.parse(made.out);
    expect(report).toMatchObject({
      kind: "torchvision",
      model: "backbone",
      name: "resnet18",
      missing: [],
      tensors: 120,
    });
    expect(report.unused.map(({ name }: { name: string }) => name)).toEqual(["fc.weight", "fc.bias"]);
    expect(report.sha256).toBe(JSON.parse(readFileSync(at("trunk/config.json"), "utf8")).sha256);
    const alone = strata("extract", "photos/0.png", "--model", "trunk");
    expect([alone.code, alone.err]).toEqual([2, expect.stringMatching(/is a backbone alone .* --attention-ckpt/)]);
    const heads = ["--model", "trunk", "--attention-ckpt", "shared.ckpt", "--thresh", "0"];
    expect(strata("extract", "photos/0.png", ...heads, "--out", "with-heads").code).toBe(0);
    expect(points("with-heads/0.png.strata.npz")).toBeGreaterThan(10);
    const training = ["--crop", "64", "--batch", "2", "--pairs-per-photo", "2", "--epochs", "1", "--workers", "1"];
    const trained = strata(
      ...["train", "encoder", "--recipe", "cfe16", "--backbone", "trunk", "--photos", "photos", "--out", "run"],
      ...training,
    );
    expect(trained.err).not.toMatch(/strata: .*backbone/);
    expect(trained.code).toBe(0);
    const config = JSON.parse(readFileSync(at("run/model/config.json"), "utf8"));
    expect(config).toMatchObject({ kind: "reference", preprocessing: "torch" });
  });

  it("tells everything that does not fit, with --json in full, and writes nothing", () => {
    const short = strata("models", "import", "broken.pth", "--out", "broken");
    expect([short.code, short.out]).toEqual([1, ""]);
    expect(short.err).toMatch(
      /^strata: broken\.pth: tensors of another shape: "conv1\.weight" expected \[64,3,7,7\], found \[64,1,3,3\]; missing tensors: layer4\.1\.conv1\.weight, .*, … \(9 in all\); it has, unused: fc\.weight, fc\.bias\nstrata: --json lists all of them\n$/,
    );
    const full = strata("models", "import", "broken.pth", "--out", "broken", "--json");
    expect(full.code).toBe(1);
    const { code, missing, mismatched, unused } = JSON.parse(full.out);
    expect([code, missing.length, unused.length]).toEqual(["E_FORMAT", 9, 2]);
    expect(mismatched).toEqual([{ name: "conv1.weight", expected: [64, 3, 7, 7], found: [64, 1, 3, 3] }]);
    expect(existsSync(at("broken"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("refuses what it cannot do, in one line", () => {
    mkdirSync(at("full"));
    writeFileSync(at("full/note.txt"), "mine");
    writeFileSync(at("text.pth"), "not weights");
    const refused: [number, RegExp, string[]][] = [
      [2, /required option '--out <dir>'/, ["resnet18.pth"]],
      [2, /missing required argument 'source'/, ["--out", "x"]],
      [
        2,
        /argument 'keras' is invalid\. Allowed choices are auto, delg/,
        ["resnet18.pth", "--out", "x", "--kind", "keras"],
      ],
      [2, /no weights "absent": there is no such file or folder/, ["absent", "--out", "x"]],
      [2, /there is a model in final already; .* --force$/m, ["resnet18.pth", "--out", "final"]],
      [2, /full is there, is not empty and is no model folder/, ["resnet18.pth", "--out", "full", "--force"]],
      [2, /shared\.ckpt has no backbone .* --backbone$/m, ["shared.ckpt", "--out", "x"]],
      [1, /text\.pth: not a file of weights that is known/, ["text.pth", "--out", "x"]],
      [
        1,
        /by the name ".*_SHARED" the heads are shared_multi_attention_model2, by the tensors/,
        [`${MODEL2}_SHARED.ckpt`, "--out", "x"],
      ],
    ];
    for (const [code, text, args] of refused) {
      const done = strata("models", "import", ...args);
      expect([done.code, done.out], args.join(" ")).toEqual([code, ""]);
      expect(done.err).toMatch(text);
    }
    expect(existsSync(at("x"))).toBe(false);
    expect(strata("models", "import", `${MODEL2}_SHARED.ckpt`, "--name", MODEL2, "--out", "x").code).toBe(0);
    expect(strata("models", "import", "--help").out).toContain("Examples:");
  });
});
