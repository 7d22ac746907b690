import { describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { readPairList } from "../../../src/formats/pair-list.js";

const NAMES = new Set([
  "a.png",
  "b.png",
  "sub/c.png",
  "my image.png",
  "your other image.png",
  "bob's.png",
  'say "hi".png',
  "comma, no.png",
  "#1.png",
  "ü 日本.png",
]);
const read = (text: string, names: Iterable<string> = NAMES) => readPairList(encodeUtf8(text), new Set(names));
const A_B = [["a.png", "b.png"]];
const SPACED = [["my image.png", "your other image.png"]];

describe("readPairList", () => {
  it.each([
    ["two names", "a.png b.png", A_B],
    ["hloc's scores", "a.png b.png 0.8731\nb.png sub/c.png 1e-3", [...A_B, ["b.png", "sub/c.png"]]],
    ["more columns", "a.png b.png 12 -0.5 nan True score=0.5 None", A_B],
    ["commas and semicolons", "a.png,b.png,0.5\nb.png; sub/c.png", [...A_B, ["b.png", "sub/c.png"]]],
    [
      "a mark, line ends of Windows and of old Macs",
      "\uFEFFa.png b.png\r\nsub/c.png a.png\r",
      [...A_B, ["sub/c.png", "a.png"]],
    ],
    ["comments and empty lines", "# a.png b.png\n\n   \n  #sub/c.png\na.png b.png # the first", A_B],
    ["any white space", "\u00a0 a.png \u3000 b.png  ", A_B],
    ["the one split with spaces", "my image.png your other image.png", SPACED],
    ["the one split, with a score", "my image.png your other image.png 0.5", SPACED],
    [
      "spaces on one side",
      "a.png my image.png\nü 日本.png a.png",
      [
        ["a.png", "my image.png"],
        ["ü 日本.png", "a.png"],
      ],
    ],
    ["tabs", "my image.png\tyour other image.png\tany thing", SPACED],
    ["tabs with spaces around", "my image.png \t your other image.png", SPACED],
    ["a tab before the score only", "my image.png your other image.png\t0.5", SPACED],
    ["quotes", '"my image.png" "your other image.png" 0.5', SPACED],
    ["single quotes", "'my image.png' a.png", [["my image.png", "a.png"]]],
    ["quotes with a comma", 'a.png,"comma, no.png"', [["a.png", "comma, no.png"]]],
    [
      "quotes inside",
      '"say ""hi"".png" a.png\nbob\'s.png say "hi".png',
      [
        ['say "hi".png', "a.png"],
        ["bob's.png", 'say "hi".png'],
      ],
    ],
    ["a name with #", "#1.png a.png\n#2.png a.png", [["#1.png", "a.png"]]],
    ["a pair twice", "a.png b.png\nb.png a.png\na.png b.png 0.2", A_B],
    ["nothing", "# nothing\n", []],
  ])("takes %s", (_, text, pairs) => {
    expect(read(text)).toEqual(pairs);
  });

  it("takes UTF-16 as Windows' shell writes it", () => {
    const text = "\uFEFFmy image.png your other image.png\r\n";
    const little = new Uint8Array(Uint16Array.from(text, (c) => c.charCodeAt(0)).buffer);
    expect(readPairList(little, NAMES)).toEqual(SPACED);
    expect(
      readPairList(
        little.map((_, i) => little[i ^ 1]),
        NAMES,
      ),
    ).toEqual(SPACED);
  });

  it.each([
    ["one", 'line 1: expected two image names, got "one"'],
    ["a.png", 'line 1: expected two image names, got "a.png"'],
    ["a.png 0.5", 'line 1: there are no features of "0.5"'],
    ["\n\na.png x.png", 'line 3: there are no features of "x.png"; there are 10 images: a.png, b.png, sub/c.png, …'],
    ["x.png a.png 0.5", 'there are no features of "x.png"'],
    ["my picture.png\tyour other image.png", 'there are no features of "my picture.png"'],
    ['"my picture.png" a.png', 'there are no features of "my picture.png"'],
    ["my picture.png a.png", 'no split of "my picture.png a.png" gives two images'],
    ["a.png b.png sub/c.png", "no split of"],
    ["a.png b.png and more", "no split of"],
    ["a.png a.png", '"a.png" is paired with itself'],
    ["x".repeat(30_000), "30000 characters"],
  ])("refuses %j", (text, message) => {
    expect(() => read(text)).toThrow(FormatError);
    expect(() => read(text)).toThrow(message);
  });

  it("refuses what can be read in two ways, by its line; a tab or quotes decide", () => {
    const names = ["a", "a b", "b c", "c", "c 0.5", "1", "#1"];
    expect(() => read("a c\na b c", names)).toThrow('line 2: may be "a" and "b c", or "a b" and "c"; put a tab');
    expect(() => read("a c 0.5", names)).toThrow('may be "a" and "c", or "a" and "c 0.5"');
    expect(() => read("#1 a", names)).toThrow("line 1: may be a pair or a comment");
    expect(read('a b\tc\n"a" "b c"\na\tc 0.5', names)).toEqual([
      ["a b", "c"],
      ["a", "b c"],
      ["a", "c 0.5"],
    ]);
  });

  it("refuses bytes that are no text", () => {
    expect(() => readPairList(Uint8Array.of(0x61, 0xff, 0x0a), NAMES)).toThrow("not UTF-8");
  });
});
