import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError } from "../../../src/errors.js";
import { isModelName, type ModelEntry } from "../../../src/model/registry-entry.js";
import { modelsHome, strataHome } from "../../../src/node/models/home.js";
import { openRegistry, parseRegistry } from "../../../src/node/models/registry.js";
import { REFERENCE_RECIPES } from "../../../src/train/recipes.js";
import { fuzz } from "../../fuzz.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

/** Nothing of the machine that this runs on. */
const bare = () => ({ STRATA_HOME: folder.path("home") });

const ENTRY = {
  name: "mine",
  kind: "reference",
  address: "https://x.example/a%2Bb.ckpt?key=1",
  size: 12,
  sha256: "AB".repeat(32),
  licence: null,
  login: false,
};
const registry = (...models: unknown[]) => JSON.stringify({ version: 1, models });
const parse = (text: string): ModelEntry[] => parseRegistry("r.json", new TextEncoder().encode(text));

describe("strata's own registry", () => {
  it("has the reference's 19 checkpoints under their names, DELG, torchvision's ResNets and the default model", async () => {
    const { models } = await openRegistry(undefined, bare());
    const reference = models.filter(({ kind }) => kind === "reference").map(({ name }) => name);
    // Only one is older than the encoder cfe64.
    const older = "multi_attention_model_distinctiveness_loss";
    expect(new Set(reference)).toEqual(
      new Set(REFERENCE_RECIPES.map((name) => (name === older ? name : `cfe64_${name}`))),
    );
    expect(reference).toHaveLength(19);
    expect(
      models.filter(({ kind }) => kind === "torchvision").map(({ file }) => /^resnet(18|34|50|101)-/.test(file)),
    ).toEqual(Array(6).fill(true));
    expect(models.filter(({ kind }) => kind === "delg").map(({ file }) => file)).toEqual([
      "r50delg_gldv2clean_20200914.tar.gz",
    ]);
    for (const { name, address, file, kind, login, registry } of models) {
      expect(registry).toBeNull();
      if (kind === "reference") expect([file, login]).toEqual([`${name}.ckpt`, true]);
      if (address !== null) expect(address).toMatch(/^https:/);
    }
  });

  it("knows no checksum but those that are true: the shipped file's, and torchvision's, whose names begin with them", async () => {
    const { models } = await openRegistry(undefined, bare());
    for (const { name, kind, file, sha256, sha256Prefix, shipped, size } of models) {
      if (shipped) {
        const bytes = readFileSync(join("models", name, file));
        expect([createHash("sha256").update(bytes).digest("hex"), bytes.length]).toEqual([sha256, size]);
      } else if (kind === "torchvision") {
        expect(file).toContain(`-${sha256Prefix}.pth`);
        expect(sha256?.slice(0, 8) ?? sha256Prefix).toBe(sha256Prefix);
      } else {
        expect([sha256, size]).toEqual([null, null]);
      }
    }
  });
});

describe("a user's registry", () => {
  const write = (path: string, text: string) => {
    writeFileSync(path, text);
    return path;
  };

  it("adds to strata's: by argument, by STRATA_REGISTRY, by models.json in STRATA_HOME, the first of them", async () => {
    mkdirSync(folder.path("home"));
    const paths = ["a.json", "b.json", "home/models.json"].map((file) =>
      write(folder.path(file), registry({ ...ENTRY, name: `from-${file[0]}` })),
    );
    const environment = { ...bare(), STRATA_REGISTRY: paths[1] };
    const found = async (file: string | undefined, env: Record<string, string>) => {
      const { models } = await openRegistry(file, env);
      expect(models.find(({ name }) => name === "strata-s")).toBeDefined();
      return models.filter(({ registry }) => registry !== null).map(({ name, registry }) => [name, registry]);
    };
    expect(await found(paths[0], environment)).toEqual([["from-a", paths[0]]]);
    expect(await found(undefined, environment)).toEqual([["from-b", paths[1]]]);
    expect(await found(undefined, bare())).toEqual([["from-h", paths[2]]]);
  });

  it("an entry goes before strata's of the same name", async () => {
    const path = write(folder.path("r.json"), registry({ ...ENTRY, name: "resnet18-imagenet1k-v1" }));
    const opened = await openRegistry(path, bare());
    expect(opened.get("resnet18-imagenet1k-v1")).toMatchObject({ kind: "reference", registry: path });
  });

  it("is read strictly, with what may be left out", () => {
    const [entry] = parse(registry(ENTRY));
    expect(entry).toEqual({
      ...ENTRY,
      sha256: "ab".repeat(32),
      file: "a+b.ckpt",
      sha256Prefix: null,
      config: null,
      shipped: false,
      note: "",
    });
    const config = { address: null, size: null, sha256: null };
    expect(parse(registry({ ...ENTRY, kind: "strata", config }))[0].config).toEqual(config);
    expect(parse(registry())).toEqual([]);
  });

  it.each<[string, RegExp]>([
    ["", /r\.json: not JSON/],
    ["[]", /r\.json: expected an object, got \[\]/],
    ['{"models": []}', /missing "version"/],
    ['{"version": 2, "models": []}', /"version" must be 1, got 2/],
    ['{"version": 1, "models": {}}', /"models" must be a list/],
    ['{"version": 1, "models": [], "more": 1}', /unknown "more"; known: version, models/],
    [registry(null), /models\[0\]: expected an object, got null/],
    [
      registry({ name: "a", kind: "reference" }),
      /models\[0\]: missing "address", "size", "sha256", "licence", "login"/,
    ],
    [registry({ ...ENTRY, sha: "" }), /models\[0\]: unknown "sha"; known: name, kind/],
    ...["", "../a", "a/b", "a\\b", ".a", "a b", "a\n", "x".repeat(201), 7].map((name): [string, RegExp] => [
      registry({ ...ENTRY, name }),
      /models\[0\]: "name" must be letters, digits and/,
    ]),
    [
      registry({ ...ENTRY, kind: "onnx" }),
      /\("mine"\): "kind" must be one of strata, reference, torchvision, delg, got "onnx"/,
    ],
    ...["ftp://x/y.ckpt", "x.example/y", "", 5].map((address): [string, RegExp] => [
      registry({ ...ENTRY, address }),
      /"address" must begin with https:\/\/ or http:\/\//,
    ]),
    [registry({ ...ENTRY, address: "https://me:s3cret@x.example/y.ckpt" }), /no user or password in "address"/],
    ...["https://x.example/", "https://x.example/%2E%2E", "https://x.example/%zz", "https://x.example/y.part"].map(
      (address): [string, RegExp] => [registry({ ...ENTRY, address }), /"file" must be the name of a file/],
    ),
    [registry({ ...ENTRY, address: null }), /"file" must be given where there is no address/],
    [registry({ ...ENTRY, file: "download.json" }), /"file" must be the name of a file/],
    ...[0, -1, 1.5, "12", 2 ** 60].map((size): [string, RegExp] => [
      registry({ ...ENTRY, size }),
      /"size" must be a number of bytes, or null/,
    ]),
    [registry({ ...ENTRY, sha256: "ab" }), /"sha256" must be 64 hexadecimal digits, or null where it is not known/],
    [registry({ ...ENTRY, sha256Prefix: "abc" }), /"sha256Prefix" must be 8 to 63 hexadecimal digits/],
    [registry({ ...ENTRY, login: "yes" }), /"login" must be true or false, got "yes"/],
    [registry({ ...ENTRY, licence: "a\u001b[2J" }), /"licence" must be a line of text/],
    [registry({ ...ENTRY, note: 5 }), /"note" must be a line of text/],
    [registry({ ...ENTRY, config: { address: null } }), /"config" belongs to kind "strata" only/],
    [registry({ ...ENTRY, kind: "strata" }), /needs "config"/],
    [registry({ ...ENTRY, kind: "strata", config: { address: null } }), /config: missing "size", "sha256"/],
    [registry(ENTRY, { ...ENTRY, name: "MINE" }), /the name "MINE" is there twice/],
  ])("refuses %s", (text, message) => {
    expect(() => parse(text)).toThrow(FormatError);
    expect(() => parse(text)).toThrow(message);
    expect(() => parse(text)).not.toThrow(/s3cret/);
  });

  it("damaged ones are refused or have whole entries", async () => {
    const config = { address: null, size: 3, sha256: null };
    const text = registry(
      { ...ENTRY, sha256Prefix: "ab".repeat(4), note: "n" },
      { ...ENTRY, name: "b", kind: "strata", config },
    );
    const read = (bytes: Uint8Array) => parseRegistry("r.json", bytes);
    const check = (entries: ModelEntry[]) => {
      for (const { name, file, kind, address, size } of entries) {
        expect([isModelName(name), isModelName(file)]).toEqual([true, true]);
        expect(["strata", "reference", "torchvision", "delg"]).toContain(kind);
        expect(address === null || URL.canParse(address)).toBe(true);
        expect(size === null || size > 0).toBe(true);
      }
    };
    const counts = await fuzz(new TextEncoder().encode(text), read, check, { rounds: 2000, seed: 5 });
    expect([counts.read > 20, counts.refused > 1000], JSON.stringify(counts)).toEqual([true, true]);
  });

  it("one that is named must be there, and of a sane size", async () => {
    await expect(openRegistry(folder.path("none.json"), bare())).rejects.toThrow(IoError);
    await expect(openRegistry(folder.path("none.json"), bare())).rejects.toThrow(
      /the registry: cannot read .*none\.json/,
    );
    const large = write(folder.path("large.json"), " ".repeat(2 ** 20 + 1));
    await expect(openRegistry(large, bare())).rejects.toThrow(/over the limit/);
  });

  it("tells similar names", async () => {
    const opened = await openRegistry(undefined, bare());
    expect(() => opened.get("ResNet50")).toThrow(OptionError);
    expect(() => opened.get("ResNet50")).toThrow(/similar: resnet50-imagenet1k-v1, resnet50-imagenet1k-v2;/);
    expect(() => opened.get("nothing-like-it")).toThrow(
      /no model "nothing-like-it" in the registry; "strata models list"/,
    );
  });
});

describe("strataHome", () => {
  it.each<[Record<string, string>, NodeJS.Platform, string]>([
    [{ STRATA_HOME: "/s", XDG_CACHE_HOME: "/x" }, "linux", "/s"],
    [{ XDG_CACHE_HOME: "/x" }, "linux", "/x/strata"],
    [{ XDG_CACHE_HOME: "x" }, "linux", "/h/.cache/strata"],
    [{ STRATA_HOME: "" }, "linux", "/h/.cache/strata"],
    [{}, "darwin", "/h/Library/Caches/strata"],
    [{ LOCALAPPDATA: "/l" }, "win32", "/l/strata"],
    [{}, "win32", "/h/AppData/Local/strata"],
  ])("%j on %s: %s", (environment, platform, expected) => {
    expect(strataHome(environment, platform, "/h")).toBe(expected);
  });

  it("models lie in models/", () => {
    expect(modelsHome({ STRATA_HOME: "/s" })).toBe(join("/s", "models"));
  });
});
