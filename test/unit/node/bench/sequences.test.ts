import { copyFileSync, cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError } from "../../../../src/errors.js";
import { openSequences, parseHomography } from "../../../../src/node/bench/sequences.js";
import { temporaryFolder } from "../../cli/fake.js";
import { writeSequence } from "./drawn.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
const text = (value: string) => new TextEncoder().encode(value);

beforeAll(async () => {
  await writeSequence(at("good/i_one"), 1, 3);
  await writeSequence(at("good/v_two"), 2, 2);
});
beforeEach(() => {
  rmSync(at("data"), { recursive: true, force: true });
  cpSync(at("good"), at("data"), { recursive: true });
});
afterAll(() => folder.remove());

describe("openSequences", () => {
  it("finds folders by what is in them, their kinds, images and pairs", async () => {
    mkdirSync(at("data/notes"));
    writeFileSync(at("data/README.md"), "no sequence");
    writeFileSync(at("data/notes/a.png"), "no sequence either");
    mkdirSync(at("data/.hidden"));
    writeFileSync(at("data/.hidden/1.png"), "");
    const { sequences, name, bad } = await openSequences(at("data"));
    expect([name, bad]).toEqual(["data", []]);
    expect(sequences.map((s) => [s.name, s.kind, s.images.length, s.pairs.length])).toEqual([
      ["i_one", "illumination", 3, 2],
      ["v_two", "viewpoint", 2, 1],
    ]);
    expect(sequences[0].pairs[1]).toMatchObject({ sequence: "i_one", images: [1, 3] });
    expect([...sequences[0].pairs[1].homography]).toEqual([1, 0, -6, 0, 1, -4, 0, 0, 1]);
    expect(sequences[0].images[2]).toEqual({
      sequence: "i_one",
      number: 3,
      name: "i_one/3.png",
      path: at("data/i_one/3.png"),
    });
  });

  it("takes a folder that is one sequence itself, links, and other kinds of names", async () => {
    expect((await openSequences(at("data/v_two"))).sequences.map((s) => [s.name, s.images[0].name])).toEqual([
      ["v_two", "v_two/1.png"],
    ]);
    symlinkSync(at("good/v_two"), at("data/linked"));
    const { sequences } = await openSequences(at("data"), { only: ["linked"] });
    expect(sequences.map(({ kind }) => kind)).toEqual(["other"]);
  });

  it("has a digest of every byte of images and value of homographies, wherever the folder lies", async () => {
    const digest = async (where = "data", only: string[] | null = null) =>
      (await openSequences(at(where), { only })).digest;
    const before = await digest();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest("good")).toBe(before);
    expect(await digest("data", ["i_one"])).not.toBe(before);
    writeFileSync(at("data/v_two/H_1_2"), "1.0 0 -3\t0 1e0 -2 0 0 1");
    expect(await digest()).toBe(before);
    writeFileSync(at("data/v_two/H_1_2"), "1 0 -3 0 1 -2.0001 0 0 1");
    expect(await digest()).not.toBe(before);
    copyFileSync(at("good/v_two/H_1_2"), at("data/v_two/H_1_2"));
    copyFileSync(at("good/v_two/2.png"), at("data/v_two/1.png"));
    expect(await digest()).not.toBe(before);
  });

  it("lists every fault of every sequence at once, and leaves bad ones out only when told", async () => {
    rmSync(at("data/i_one/2.png"));
    rmSync(at("data/i_one/H_1_3"));
    writeFileSync(at("data/v_two/H_1_2"), "1 2 3 2 4 6 0 0 1");
    writeFileSync(at("data/v_two/1.png"), "");
    await writeSequence(at("data/v_three"), 3, 2);
    await expect(openSequences(at("data"))).rejects.toThrow(FormatError);
    await expect(openSequences(at("data"))).rejects.toThrow(
      /2 bad sequences:\n {2}i_one: image 2 is missing.*\n {2}i_one: the homography H_1_3 is missing\n {2}v_two: .*1\.png is empty\n {2}v_two: H_1_2: the matrix is singular.*\n.*--skip-bad/,
    );
    const { sequences, bad } = await openSequences(at("data"), { skipBad: true });
    expect([sequences.map(({ name }) => name), bad.map(({ name }) => name)]).toEqual([["v_three"], ["i_one", "v_two"]]);
    await expect(openSequences(at("data/i_one"), { skipBad: true })).rejects.toThrow(/no sequence is whole/);
  });

  it("names images that are there twice, alone, or too many", async () => {
    copyFileSync(at("data/v_two/1.png"), at("data/v_two/1.jpg"));
    await expect(openSequences(at("data"))).rejects.toThrow(/both 1\.jpg and 1\.png are image 1; keep one/);
    rmSync(at("data/v_two"), { recursive: true });
    mkdirSync(at("data/v_alone"));
    copyFileSync(at("good/v_two/1.png"), at("data/v_alone/1.png"));
    await expect(openSequences(at("data"))).rejects.toThrow(/v_alone: image 2 is missing/);
    renameSync(at("data/v_alone/1.png"), at("data/v_alone/99999.png"));
    await expect(openSequences(at("data"))).rejects.toThrow(/99999\.png: sequences of more than 1000/);
  });

  it("says what is not there", async () => {
    mkdirSync(at("data/empty"));
    await expect(openSequences(at("data/empty"))).rejects.toThrow(/has no sequences: expected folders with images 1/);
    await expect(openSequences(at("nowhere"))).rejects.toThrow(IoError);
    await expect(openSequences(at("data"), { only: ["v_2"] })).rejects.toThrow(
      /no sequence "v_2"; there are: i_one, v_two/,
    );
    await expect(openSequences(at("data"), { only: ["v_2"] })).rejects.toThrow(OptionError);
  });
});

describe("parseHomography", () => {
  it("takes nine numbers, whatever separates them", () => {
    expect([...parseHomography(text("1,2,3\r\n4;5 6e1\n\n7 8 9.5\n"))]).toEqual([1, 2, 3, 4, 5, 60, 7, 8, 9.5]);
  });

  it("refuses too few, too many, words, infinities and singular ones, also up to rounding", () => {
    expect(() => parseHomography(text("1 0 0 0 1 0 0 0"))).toThrow(/expected 9 numbers .*got 8/);
    expect(() => parseHomography(text("1 0 0 0 1 0 0 0 1 1"))).toThrow(/got 10/);
    expect(() => parseHomography(text(""))).toThrow(FormatError);
    expect(() => parseHomography(text("1 0 0 0 one 0 0 0 1"))).toThrow(/"one" is not a finite number/);
    expect(() => parseHomography(text("1 0 0 0 Infinity 0 0 0 1"))).toThrow(/"Infinity"/);
    expect(() => parseHomography(text("0.1 0.2 0.3 0.2 0.4 0.6000000000000001 0 0 1"))).toThrow(/singular/);
    expect(() => parseHomography(text("0 0 0 0 0 0 0 0 0"))).toThrow(/singular/);
    // A strong but proper perspective with large shifts is not singular.
    expect(parseHomography(text("0.3 0 4000 0 0.3 4000 1e-4 1e-4 1")).length).toBe(9);
  });
});
