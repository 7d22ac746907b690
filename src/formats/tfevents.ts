/**
 * TensorBoard's event files: records that are `Event` messages in protocol buffers. Of TensorBoard's event.proto and
 * summary.proto this has what a training shows: scalars, images, text, and the marks by which a resumed run takes the
 * place of what was written after its checkpoint. The rest is passed over when reading.
 */
import { BinaryReader, BinaryWriter, type WireType } from "@bufbuild/protobuf/wire";
import { FormatError, OptionError } from "../errors.js";
import { checkNumber } from "../options.js";
import { readTfRecords, writeTfRecord } from "./tfrecord.js";

export type TfValue =
  | { kind: "scalar"; tag: string; value: number }
  /** An encoded picture, PNG for instance. */
  | { kind: "image"; tag: string; width: number; height: number; encoded: Uint8Array }
  /** Markdown. */
  | { kind: "text"; tag: string; text: string };

export interface TfEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step: number;
  /** The file's version; its first event. */
  version?: string;
  /** "start" at step s takes back what earlier sessions of the run have written for s and later. */
  session?: "start" | "stop" | "checkpoint";
  values: TfValue[];
}

/** The version that every file begins with. */
export const TFEVENTS_VERSION = "brain.Event:2";

/** SessionLog.SessionStatus. */
const SESSIONS = ["unspecified", "start", "stop", "checkpoint"] as const;
/** What TensorBoard calls the kinds: a plugin, and the class of its data (summary.proto, DataClass). */
const PLUGINS = {
  scalar: { name: "scalars", dataClass: 1 },
  text: { name: "text", dataClass: 2 },
  image: { name: "images", dataClass: 3 },
} as const;
/** DataType.DT_STRING of tensors. */
const DT_STRING = 7;
const RGB = 3;

/** The event as one record of a file. */
export function writeTfEvent({ wallTime, step, version, session, values }: TfEvent): Uint8Array {
  checkNumber("writeTfEvent", "wallTime", wallTime);
  checkNumber("writeTfEvent", "step", step, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const what = [version, session, values.length || undefined].filter((part) => part !== undefined);
  if (what.length > 1) throw new OptionError("writeTfEvent: an event is a version, a session's mark, or values");
  const event = new BinaryWriter().tag(1, 1).double(wallTime);
  if (step !== 0) event.tag(2, 0).int64(step);
  if (version !== undefined) event.tag(3, 2).string(version);
  if (values.length > 0) {
    event.tag(5, 2).fork();
    for (const value of values) {
      event.tag(1, 2).fork();
      writeValue(event, value);
      event.join();
    }
    event.join();
  }
  if (session !== undefined) event.tag(7, 2).fork().tag(1, 0).int32(SESSIONS.indexOf(session)).join();
  return writeTfRecord(event.finish());
}

/** Summary.Value. Old fields for the values, with the metadata of new ones: both kinds of readers know them. */
function writeValue(writer: BinaryWriter, value: TfValue): void {
  if (value.tag === "") throw new OptionError("writeTfEvent: a value needs a tag");
  writer.tag(1, 2).string(value.tag);
  if (value.kind === "scalar") {
    writer.tag(2, 5).float(Math.fround(value.value));
  } else if (value.kind === "image") {
    const { width, height, encoded } = value;
    writer.tag(4, 2).fork();
    for (const [field, number] of [height, width, RGB].entries()) {
      writer.tag(field + 1, 0).int32(checkNumber("writeTfEvent", "image", number, { min: 1, integer: true }));
    }
    writer.tag(4, 2).bytes(encoded).join();
  } else {
    // TensorProto: a vector of one string.
    writer.tag(8, 2).fork().tag(1, 0).int32(DT_STRING);
    writer.tag(2, 2).fork().tag(2, 2).fork().tag(1, 0).int64(1).join().join();
    writer.tag(8, 2).bytes(new TextEncoder().encode(value.text)).join();
  }
  const { name, dataClass } = PLUGINS[value.kind];
  writer.tag(9, 2).fork();
  writer.tag(1, 2).fork().tag(1, 2).string(name).join();
  writer.tag(4, 0).int32(dataClass).join();
}

export interface TfEvents {
  events: TfEvent[];
  /** Bytes of an event that is not all there, at the end of a file that is being written. */
  unfinished: number;
}

/** The events of a file; FormatError for anything that is none. Values of other kinds are left out. */
export function readTfEvents(bytes: Uint8Array, where = "readTfEvents"): TfEvents {
  const { records, unfinished } = readTfRecords(bytes, where);
  const events = records.map((record, index) => {
    try {
      return readEvent(new BinaryReader(record));
    } catch (cause) {
      // What the library throws for bytes that are no message: RangeError, Error, TypeError (of text).
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new FormatError(`${where}: record ${index} is no event: ${said}`, { cause });
    }
  });
  return { events, unfinished };
}

/** Calls `take` on each field of a message; it answers whether it has read it, else the field is passed over. */
function fields(reader: BinaryReader, end: number, take: (field: number, type: WireType) => boolean): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (!take(field, type)) reader.skip(type, field);
  }
  if (reader.pos > end) throw new RangeError("a field reaches beyond its message");
}

/** The fields of a message within a message. */
function inner(reader: BinaryReader, take: (field: number, type: WireType) => boolean): true {
  const length = reader.uint32();
  if (length > reader.len - reader.pos) throw new RangeError("a field reaches beyond its message");
  fields(reader, reader.pos + length, take);
  return true;
}

function readEvent(reader: BinaryReader): TfEvent {
  const event: TfEvent = { wallTime: 0, step: 0, values: [] };
  fields(reader, reader.len, (field, type) => {
    if (field === 1 && type === 1) event.wallTime = reader.double();
    else if (field === 2 && type === 0) event.step = Number(reader.int64());
    else if (field === 3 && type === 2) event.version = reader.string(true);
    else if (field === 5 && type === 2) return inner(reader, (f, t) => f === 1 && t === 2 && readValue(reader, event));
    else if (field === 7 && type === 2)
      return inner(reader, (f, t) => f === 1 && t === 0 && readSession(reader, event));
    else return false;
    return true;
  });
  return event;
}

function readSession(reader: BinaryReader, event: TfEvent): true {
  const session = SESSIONS[reader.int32()];
  if (session !== undefined && session !== "unspecified") event.session = session;
  return true;
}

function readValue(reader: BinaryReader, { values }: TfEvent): true {
  let tag = "";
  let value: TfValue | null = null;
  inner(reader, (field, type) => {
    if (field === 1 && type === 2) tag = reader.string(true);
    else if (field === 2 && type === 5) value = { kind: "scalar", tag, value: reader.float() };
    else if (field === 4 && type === 2) value = readImage(reader);
    else if (field === 8 && type === 2) value = readText(reader) ?? value;
    else return false;
    return true;
  });
  // The tag may stand after the value.
  if (value !== null) values.push({ ...(value as TfValue), tag });
  return true;
}

function readImage(reader: BinaryReader): TfValue {
  let [width, height, encoded] = [0, 0, new Uint8Array(0)];
  inner(reader, (field, type) => {
    if (field === 1 && type === 0) height = reader.int32();
    else if (field === 2 && type === 0) width = reader.int32();
    else if (field === 4 && type === 2) encoded = reader.bytes() as Uint8Array<ArrayBuffer>;
    else return false;
    return true;
  });
  return { kind: "image", tag: "", width, height, encoded };
}

/** Text is a tensor of strings; other tensors are none of ours. */
function readText(reader: BinaryReader): TfValue | null {
  let dtype = 0;
  const strings: Uint8Array[] = [];
  inner(reader, (field, type) => {
    if (field === 1 && type === 0) dtype = reader.int32();
    else if (field === 8 && type === 2) strings.push(reader.bytes());
    else return false;
    return true;
  });
  if (dtype !== DT_STRING) return null;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return { kind: "text", tag: "", text: strings.map((bytes) => decoder.decode(bytes)).join("\n") };
}
