import { describe, expect, it } from "vitest";
import { normalizeFlags, REFERENCE_FLAGS } from "../../../src/cli/flags.js";
import { OptionError } from "../../../src/errors.js";
import { fakeStrata, savePlain, temporaryFolder } from "./fake.js";

describe("normalizeFlags", () => {
  const normalized = (...argv: string[]) => normalizeFlags(argv).arguments;

  it("turns underscores of names, and of nothing else, into dashes", () => {
    expect(normalized("extract", "a_b.png", "--max_edge=1_0", "--output_extension", ".my_model")).toEqual([
      "extract",
      "a_b.png",
      "--max-edge=1_0",
      "--output-extension",
      ".my_model",
    ]);
    expect(normalized("extract", "--", "--max_edge")).toEqual(["extract", "--", "--max_edge"]);
  });

  it("gives flags that have another word here that word, in both spellings and with both ways of giving a value", () => {
    expect(normalized("--image_list_file", "l.txt")).toEqual(["--list", "l.txt"]);
    expect(normalized("--image-list-file=l.txt")).toEqual(["--list=l.txt"]);
    expect(normalized("--output_type", "mat", "--encoder_model=x")).toEqual(["--format", "mat", "--model=x"]);
    expect(normalized("--nogpu")).toEqual(["--backend", "cpu"]);
  });

  it("refuses flags whose meaning is not kept, and says what to use", () => {
    for (const { flag, refused } of REFERENCE_FLAGS) {
      if (!refused) continue;
      expect(() => normalized(flag)).toThrow(OptionError);
      expect(() => normalized(flag.replace(/(?<=\w)-/g, "_"))).toThrow(/--nms or --no-nms/);
    }
  });

  it("notes that a limit scales without --scale", () => {
    expect(normalizeFlags(["--max_edge", "100"]).notes).toHaveLength(1);
    expect(normalizeFlags(["--max_edge", "100", "--scale"]).notes).toHaveLength(0);
    expect(normalizeFlags(["--max-edge", "100"]).notes).toHaveLength(0);
  });
});

describe("options of extraction", () => {
  const folder = temporaryFolder();
  const image = folder.path("a.png");

  /** What the engine is opened with. */
  async function opened(...flags: string[]) {
    const fake = fakeStrata();
    await savePlain(image, 50);
    const { code, err } = await fake.run("extract", image, "--out", folder.path("out"), ...flags);
    expect(err.replace(/^strata: note.*\n/, "")).toBe("");
    expect(code).toBe(0);
    return fake.opened[0];
  }

  it("passes on what was given and leaves the rest to the model", async () => {
    expect(await opened()).toEqual({});
    expect(await opened("--nms")).toEqual({ nms: true });
    expect(await opened("--no-nms", "--thresh", "0", "--max-features", "all")).toEqual({
      nms: false,
      threshold: 0,
      maxFeatures: null,
    });
  });

  it("takes the reference's whole command line", async () => {
    const flags =
      "--attention_ckpt NAME --load_from_folder --encoder_model enc --attention_model attention_model --nogpu " +
      "--d2net_localization --thresh 0.3 --replace_strides --first_stride 2 --sum_descriptors --scale --max_edge 800 " +
      "--append --preprocessing caffe --output_type mat --output_extension .our-model";
    expect(await opened(...flags.split(" "))).toEqual({
      attentionCkpt: "NAME",
      model: "enc",
      attentionModel: "attention_model",
      backend: "cpu",
      detection: "d2net",
      threshold: 0.3,
      replaceStrides: true,
      firstStride: 2,
      sumDescriptors: true,
      maxEdge: 800,
      maxSumEdges: 2800,
      preprocessing: "caffe",
    });
    folder.remove();
  });

  it.each([
    ["--thresh", "-1"],
    ["--thresh", ""],
    ["--thresh", "NaN"],
    ["--max-features", "0"],
    ["--max-features", "1.5"],
    ["--max-edge", "1e999"],
    ["--threads", "two"],
    ["--pixel-limit", "0"],
    ["--first-stride", "3"],
    ["--backend", "abacus"],
    ["--attention-model", "best"],
    ["--preprocessing", "tf"],
    ["--output-extension", "npz"],
    ["--output-extension", "./x"],
    ["--output-extension", "."],
    ["--format", "csv"],
  ])("refuses %s %j by name, before any work", async (flag, value) => {
    const fake = fakeStrata();
    const { code, err, out } = await fake.run("extract", "none.png", flag, value);
    expect(err).toMatch(flag);
    expect([code, out, fake.opened.length]).toEqual([2, "", 0]);
  });
});
