import { describe, expect, it } from "vitest";
import { FormatError, LimitError } from "../../../src/errors.js";
import { type PickleOptions, unpickle } from "../../../src/formats/pickle/read.js";
import { PickleName, PickleRecord, type PickleValue } from "../../../src/formats/pickle/values.js";
import { call, dict, global, int, latin1, list, short, stackGlobal, text, tuple } from "../torch/pickles.js";

const names: PickleOptions["names"] = new Map<string, ((args: PickleValue[]) => PickleValue) | null>([
  ["safe.make", (args: PickleValue[]) => args.length],
  ["safe.Record", () => new PickleRecord()],
  ["safe.Name", null],
]);
const read = (pickle: string, options: Partial<PickleOptions> = {}) =>
  unpickle(latin1(`${pickle}.`), { where: "test", names, ...options }).value;

describe("unpickle: plain values", () => {
  it.each<[string, string, unknown]>([
    ["none", "N", null],
    ["true", "\x88", true],
    ["text true", "I01\n", true],
    ["int", int(-2), -2],
    ["byte", "K\xff", 255],
    ["short int", "M\x01\x02", 513],
    ["text int", "I-42\n", -42],
    ["Python 2 long", "L123L\n", 123],
    ["long of one byte", "\x8a\x01\xff", -1],
    ["empty long", "\x8a\x00", 0],
    ["long", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", 2n ** 64n],
    ["long by 4", "\x8b\x02\x00\x00\x00\x00\x01", 256],
    ["double", "G\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5],
    ["text double", "F-0.25\n", -0.25],
    ["unicode", text("h\xc3\xa9"), "hé"],
    ["line", "Vline\n", "line"],
    ["quoted", "S'it'\n", "it"],
    ["bytes", "C\x02ab", latin1("ab")],
    ["bytes by 4", "B\x01\x00\x00\x00a", latin1("a")],
    ["bytes by 8", "\x8e\x01\x00\x00\x00\x00\x00\x00\x00a", latin1("a")],
    ["tuple", tuple(int(1), "N"), [1, null]],
    [
      "short tuples",
      "K\x01\x85K\x02\x86K\x03K\x04K\x05\x87\x86",
      [
        [[1], 2],
        [3, 4, 5],
      ],
    ],
    ["list", list(int(1), int(2)), [1, 2]],
    ["append", "]K\x01aK\x02a", [1, 2]],
    ["mark list", "(K\x01K\x02l", [1, 2]],
    ["set", "\x8f(K\x01\x90", [1]],
    ["dict", dict({ a: int(1) }), new Map([["a", 1]])],
    ["mark dict", "(K\x01K\x02d", new Map([[1, 2]])],
    ["set item", `}${text("a")}Ns`, new Map([["a", null]])],
    ["dup and pop", "K\x01K\x0220\x86", [1, 2]],
    ["pop of a mark", "K\x01(0", 1],
    ["pop to a mark", "K\x01(K\x02K\x031", 1],
    ["memo", `${text("a")}q\x000h\x00h\x00\x86`, ["a", "a"]],
    ["long memo", "K\x05r\x00\x00\x01\x00j\x00\x00\x01\x00\x86", [5, 5]],
    ["text memo", "K\x05p7\ng7\n\x86", [5, 5]],
    ["memoize", `\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00${short("a")}\x94h\x00\x86`, ["a", "a"]],
    ["call", call(global("safe", "make"), "N", "N"), 2],
    ["name", stackGlobal("safe", "Name"), new PickleName("safe.Name")],
  ])("%s", (_, pickle, expected) => {
    expect(read(pickle)).toEqual(expected);
  });

  it("keeps the sharing of lists and reads one pickle after the other", () => {
    const twice = read("]q\x00h\x00\x86") as PickleValue[][];
    expect(twice[0]).toBe(twice[1]);
    const two = latin1("K\x01.K\x02.");
    const first = unpickle(two, { where: "test", names });
    expect([first, unpickle(two, { where: "test", names }, first.end)]).toEqual([
      { value: 1, end: 3 },
      { value: 2, end: 6 },
    ]);
  });

  it("sets the fields of records and leaves out attributes of dictionaries", () => {
    const record = read(`${global("safe", "Record")})\x81${dict({ lr: "K\x01" })}b`) as PickleRecord;
    expect(record.fields).toEqual(new Map([["lr", 1]]));
    expect(read(`}${dict({ _metadata: "N" })}b`)).toEqual(new Map());
    expect(() => read(`]${dict({ a: "N" })}b`)).toThrow(/state of something/);
    expect(() => read(`${global("safe", "Name")}${dict({ a: "N" })}b`)).toThrow(/state of something/);
  });
});

describe("unpickle: foreign names", () => {
  const args = tuple(text("touch /tmp/pwned"));
  it.each<[string, string, string]>([
    ["GLOBAL", global("os", "system"), "os.system"],
    ["GLOBAL and REDUCE", `${global("os", "system")}${args}R`, "os.system"],
    ["posix", `${global("posix", "system")}${args}R`, "posix.system"],
    ["STACK_GLOBAL", `${stackGlobal("builtins", "eval")}${args}R`, "builtins.eval"],
    ["STACK_GLOBAL out of the memo", `${text("nt")}q\x000${text("system")}q\x010h\x00h\x01\x93`, "nt.system"],
    ["NEWOBJ", `${global("subprocess", "Popen")}${args}\x81`, "subprocess.Popen"],
    ["NEWOBJ_EX", `${global("subprocess", "Popen")}${args}}\x92`, "subprocess.Popen"],
    ["INST", `(${text("id")}ios\nsystem\n`, "os.system"],
    ["OBJ", `(${global("os", "system")}${text("id")}o`, "os.system"],
    ["BUILD", `${global("builtins", "__import__")}${dict({ a: "N" })}b`, "builtins.__import__"],
    ["a prototype's name", global("constructor", "constructor"), "constructor.constructor"],
    ["a near miss", global("safe", "make.__globals__"), "safe.make.__globals__"],
  ])("%s is refused by name", (_, pickle, name) => {
    expect(() => read(pickle)).toThrow(FormatError);
    expect(() => read(pickle)).toThrow(`asks for ${name}, which is not on the list`);
  });

  it("does not print control characters out of a file, nor endless names", () => {
    const message = (name: string) => {
      try {
        read(global("os", name));
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    expect(message("a\x1b[2Jb")).toContain("os.a?[2Jb,");
    expect(message("x".repeat(10_000)).length).toBeLessThan(400);
  });

  it.each([
    ["extension codes", "\x82\x01"],
    ["extension codes of 4 bytes", "\x84\x01\x00\x00\x00"],
    ["out-of-band buffers", "\x97"],
    ["an unknown opcode", "\xff"],
  ])("%s are not offered", (_, pickle) => {
    expect(() => read(pickle)).toThrow(/opcode 0x.. is not offered/);
  });

  it("never calls what may only be named, nor plain values", () => {
    expect(() => read(call(global("safe", "Name")))).toThrow(/safe\.Name may be named, not called/);
    for (const callee of ["N", text("safe.make"), "}", "]", "K\x01"]) {
      expect(() => read(call(callee))).toThrow(/calls something that is no class/);
    }
    expect(() => read(`${global("safe", "make")}}R`)).toThrow(/no tuple/);
    expect(() => read(`${global("safe", "make")})${dict({ a: "N" })}\x92`)).toThrow(/keyword/);
    expect(() => read(`${text("a")}Q`)).toThrow(/persistent ids/);
    expect(read(`${text("a")}Q`, { persistent: (id) => [id] })).toEqual(["a"]);
    expect(read("Pb\n", { persistent: (id) => [id] })).toEqual(["b"]);
  });
});

describe("unpickle: malformed", () => {
  it.each([
    ["nothing", ""],
    ["an empty stack", "0"],
    ["pop of nothing", "0."],
    ["a tuple without a mark", "t"],
    ["a tuple of too few", "K\x01\x86"],
    ["an unset memo", "h\x05"],
    ["a memo of nothing", "q\x00"],
    ["dup of nothing", "2"],
    ["append to a number", "K\x01K\x02a"],
    ["appends to a dict", "}(K\x01e"],
    ["items of a list", "](K\x01K\x02u"],
    ["half an entry", "}(K\x01u"],
    ["a text that ends early", "X\xff\xff\xff\x7fabc"],
    ["bytes of negative length", "B\xfb\xff\xff\xff"],
    ["bytes of 2⁶⁴ − 1", `\x8e${"\xff".repeat(8)}`],
    ["an endless long", `\x8b\xff\xff\xff\x7f`],
    ["a long of 65 bytes", `\x8a\x41${"\x01".repeat(65)}`],
    ["an endless decimal", `L${"9".repeat(1000)}\n`],
    ["no number", "Iabc\n"],
    ["an unquoted text", "Sabc\n"],
    ["text that is not UTF-8", "X\x01\x00\x00\x00\xff"],
    ["protocol 6", "\x80\x06N"],
    ["a line without end", "Vabc"],
    ["a class name that is a number", "K\x01K\x02\x93"],
  ])("%s", (_, pickle) => {
    expect(() => read(pickle)).toThrow(FormatError);
  });

  it("stops after so many opcodes", () => {
    expect(() => read("N0".repeat(10), { maxOpcodes: 5 })).toThrow(LimitError);
    expect(read("N".repeat(4), { maxOpcodes: 5 })).toBe(null);
    expect(() => read("N".repeat(4_000_001))).toThrow(/more than 4000000 opcodes/);
  });
});
