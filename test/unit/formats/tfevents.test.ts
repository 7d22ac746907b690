/** TensorBoard's event files: checks of the framing, every kind of value, damage, and protobuf's own reader in Python. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, OptionError } from "../../../src/errors.js";
import { crc32c, maskedCrc32c } from "../../../src/formats/crc32c.js";
import { readTfEvents, type TfEvent, writeTfEvent } from "../../../src/formats/tfevents.js";
import { readTfRecords, writeTfRecord } from "../../../src/formats/tfrecord.js";
import { fuzz } from "../../fuzz.js";
import { describePython, PROTOBUF, python } from "./python.js";

const ascii = (text: string) => new TextEncoder().encode(text);
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

const picture = Uint8Array.from({ length: 300 }, (_, i) => (7 * i) % 256);
const EVENTS: TfEvent[] = [
  { wallTime: 1.7e9, step: 0, version: "brain.Event:2", values: [] },
  { wallTime: 1.7e9, step: 1, session: "start", values: [] },
  {
    wallTime: 1.7e9 + 0.25,
    step: 12,
    values: [
      { kind: "scalar", tag: "train_loss", value: Math.fround(0.1) },
      { kind: "scalar", tag: "größe/ü", value: Math.fround(-1e-30) },
      { kind: "scalar", tag: "epoch", value: 0 },
      { kind: "image", tag: "scores/a", width: 640, height: 480, encoded: picture },
      { kind: "text", tag: "recipe", text: "**λ** 0.5\nsecond line" },
    ],
  },
  { wallTime: 0, step: 2 ** 40, values: [{ kind: "scalar", tag: "last", value: Number.POSITIVE_INFINITY }] },
  { wallTime: 2, step: 3, session: "stop", values: [] },
];
const file = joined(...EVENTS.map(writeTfEvent));

describe("CRC-32C", () => {
  // RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms.
  it("has the published values", () => {
    expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it("is masked by a turn and a constant", () => {
    const crc = 0xe3069283n;
    const turned = ((crc >> 15n) | (crc << 17n)) & 0xffffffffn;
    expect(maskedCrc32c(ascii("123456789"))).toBe(Number((turned + 0xa282ead8n) & 0xffffffffn));
  });
});

describe("record files", () => {
  const records = [ascii("one"), new Uint8Array(0), ascii("three")];
  const bytes = joined(...records.map(writeTfRecord));

  it("read back, and say what is unfinished wherever they end", () => {
    expect(readTfRecords(bytes)).toEqual({ records, unfinished: 0 });
    expect(readTfRecords(new Uint8Array(0))).toEqual({ records: [], unfinished: 0 });
    const starts = [0, 19, 35, 56];
    for (let end = 0; end < bytes.length; end++) {
      const whole = starts.filter((start) => start <= end).length - 1;
      const read = readTfRecords(bytes.subarray(0, end));
      expect(read).toEqual({ records: records.slice(0, whole), unfinished: end - starts[whole] });
    }
  });

  it("with any bit turned are refused, or end before it", () => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] ^= 1 << (at % 8);
      expect(() => readTfRecords(damaged, "x.tfrecord")).toThrow(FormatError);
    }
    expect(() => readTfRecords(ascii("this is no record file"), "x")).toThrow(
      /x: the length at offset 0 does not agree/,
    );
  });
});

describe("event files", () => {
  it("read back", () => {
    expect(readTfEvents(file)).toEqual({ events: EVENTS, unfinished: 0 });
    expect(readTfEvents(file.subarray(0, -3)).events).toEqual(EVENTS.slice(0, -1));
  });

  it("are refused where an event cannot be", () => {
    const event = EVENTS[2];
    const scalar = { kind: "scalar" as const, tag: "a", value: 1 };
    expect(() => writeTfEvent({ ...event, step: -1 })).toThrow(/"step" must be a whole number ≥ 0/);
    expect(() => writeTfEvent({ ...event, step: 0.5 })).toThrow(OptionError);
    expect(() => writeTfEvent({ ...event, wallTime: Number.NaN })).toThrow(/"wallTime"/);
    expect(() => writeTfEvent({ ...event, session: "start" })).toThrow(/a version, a session's mark, or values/);
    expect(() => writeTfEvent({ ...event, values: [{ ...scalar, tag: "" }] })).toThrow(/needs a tag/);
    const image = { kind: "image" as const, tag: "i", width: 0, height: 1, encoded: picture };
    expect(() => writeTfEvent({ ...event, values: [image] })).toThrow(/"image" must be a whole number ≥ 1/);
  });

  it("whose records are no messages are refused, naming the record", () => {
    const bad = (bytes: number[]) => () =>
      readTfEvents(joined(writeTfEvent(EVENTS[0]), writeTfRecord(Uint8Array.from(bytes))), "run/events");
    expect(bad([0x2a, 0x7f, 1])).toThrow(/run\/events: record 1 is no event: a field reaches beyond/); // summary of 127 bytes
    expect(bad([0x1a, 2, 0xff, 0xff])).toThrow(/run\/events: record 1 is no event/); // version that is not UTF-8
    expect(bad([0x09, 0])).toThrow(FormatError); // a double of one byte
    expect(bad([0x2a, 4, 0x0a, 4, 1, 1])).toThrow(FormatError); // a value longer than its summary
  });

  it("with fields of other kinds are read without them", () => {
    // graph_def (4), and a field 99 of each wire type, groups among them.
    const others = [0x22, 2, 1, 2, 0x98, 6, 1, 0x9a, 6, 1, 5, 0x9b, 6, 0x08, 1, 0x9c, 6, 0x9d, 6, 0, 0, 0, 0, 0x10, 7];
    const { events } = readTfEvents(writeTfRecord(Uint8Array.from(others)));
    expect(events).toEqual([{ wallTime: 0, step: 7, values: [] }]);
  });

  it("damaged give events or a StrataError, also where the checks agree", async () => {
    const sound = (event: TfEvent) => {
      expect(typeof event.wallTime).toBe("number");
      expect(typeof event.step).toBe("number");
      for (const value of event.values) {
        expect(typeof value.tag).toBe("string");
        if (value.kind === "image") expect(value.encoded).toBeInstanceOf(Uint8Array);
      }
    };
    const whole = await fuzz(file, readTfEvents, ({ events }) => events.forEach(sound), { rounds: 1000 });
    expect(whole.refused).toBeGreaterThan(300);
    const [record] = readTfRecords(writeTfEvent(EVENTS[2])).records;
    const inside = await fuzz(
      record,
      (damaged) => readTfEvents(writeTfRecord(damaged)),
      ({ events }) => events.forEach(sound),
      { rounds: 3000 },
    );
    expect(inside.refused).toBeGreaterThan(300);
    expect(inside.read).toBeGreaterThan(300);
  });
});

describePython(
  "event files and protobuf's reader in Python",
  (folder) => {
    it("reads ours: checks, fields, and the metadata that TensorBoard goes by", () => {
      const path = join(folder, "events");
      writeFileSync(path, file);
      const { events, unknown } = python("read_events.py", path) as {
        events: Record<string, unknown>[];
        unknown: number;
      };
      expect(unknown).toBe(0);
      const metadata = (name: string, data_class: number) => ({ plugin_data: { plugin_name: name }, data_class });
      expect(events).toEqual([
        { wall_time: 1.7e9, file_version: "brain.Event:2" },
        { wall_time: 1.7e9, step: "1", session_log: { status: 1 } },
        {
          wall_time: 1.7e9 + 0.25,
          step: "12",
          summary: {
            value: [
              { tag: "train_loss", simple_value: 0.1, metadata: metadata("scalars", 1) },
              { tag: "größe/ü", simple_value: -1e-30, metadata: metadata("scalars", 1) },
              { tag: "epoch", simple_value: 0, metadata: metadata("scalars", 1) },
              {
                tag: "scores/a",
                image: {
                  height: 480,
                  width: 640,
                  colorspace: 3,
                  encoded_image_string: createHash("sha256").update(picture).digest("base64"),
                },
                metadata: metadata("images", 3),
              },
              {
                tag: "recipe",
                tensor: {
                  dtype: 7,
                  tensor_shape: { dim: [{ size: "1" }] },
                  string_val: [Buffer.from("**λ** 0.5\nsecond line").toString("base64")],
                },
                metadata: metadata("text", 2),
              },
            ],
          },
        },
        {
          step: String(2 ** 40),
          summary: { value: [{ tag: "last", simple_value: "Infinity", metadata: metadata("scalars", 1) }] },
        },
        { wall_time: 2, step: "3", session_log: { status: 2 } },
      ]);
    });

    it("writes what we read, as PyTorch writes it", () => {
      const path = join(folder, "written");
      python("read_events.py", "write", path);
      expect(readTfEvents(readFileSync(path)).events).toEqual([
        { wallTime: 1.5, step: 0, version: "brain.Event:2", values: [] },
        {
          wallTime: 2.5,
          step: 3e9,
          values: [
            { kind: "scalar", tag: "loss", value: 0.25 },
            { kind: "image", tag: "picture", width: 3, height: 2, encoded: expect.anything() },
            { kind: "text", tag: "said", text: "grüße" },
          ],
        },
        { wallTime: 3.5, step: 4, session: "start", values: [] },
      ]);
    });
  },
  PROTOBUF,
);
