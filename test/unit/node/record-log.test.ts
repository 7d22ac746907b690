import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, expect, it } from "vitest";
import { FormatError, IoError } from "../../../src/errors.js";
import { type LogRecord, RecordLog } from "../../../src/node/record-log.js";
import { temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
const path = folder.path("log");
afterAll(folder.remove);
beforeEach(() => writeFileSync(path, ""));

const record = (k: number): LogRecord => ({ key: `k${k} ä\n`, body: new Uint8Array(k * 7).fill(k) });

async function open() {
  const found: LogRecord[] = [];
  const places: number[] = [];
  const log = await RecordLog.open(path, (one, place) => {
    found.push(one);
    places.push(place);
  });
  return { log, found, places };
}

async function write(count: number): Promise<void> {
  const { log } = await open();
  for (let k = 0; k < count; k++) await log.append(record(k));
  await log.close();
}

it("gives back what was added, in order and by place, also while it is written", async () => {
  const { log, found } = await open();
  expect(found).toEqual([]);
  const places: number[] = [];
  for (let k = 0; k < 20; k++) {
    places.push(await log.append(record(k)));
    expect(log.read(places[k >> 1])).toEqual(record(k >> 1));
  }
  await log.close();
  const again = await open();
  expect(again.found).toEqual(Array.from({ length: 20 }, (_, k) => record(k)));
  expect(again.places).toEqual(places);
  expect(again.log.read(places[7])).toEqual(record(7));
  await again.log.close();
});

it("holds records larger than what it reads at once", async () => {
  const { log } = await open();
  const large = { key: "large", body: Uint8Array.from({ length: 700_000 }, (_, i) => i * 31) };
  const places = [await log.append(record(3)), await log.append(large), await log.append(record(4))];
  expect(places.map((place) => log.read(place).key)).toEqual([record(3).key, "large", record(4).key]);
  await log.close();
  const again = await open();
  // Compared as bytes: element by element it takes ten seconds.
  expect(again.found.map(({ body }, i) => Buffer.compare(body, [record(3), large, record(4)][i].body))).toEqual([
    0, 0, 0,
  ]);
  await again.log.close();
});

it("cut at any byte, it keeps every whole record and goes on behind them", async () => {
  await write(4);
  const whole = readFileSync(path);
  const { places, log } = await open();
  await log.close();
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    const cut = await open();
    const kept = [...places.slice(1), whole.length].filter((place) => place <= length).length;
    expect(cut.found.length, `${length} bytes`).toBe(kept);
    await cut.log.append(record(9));
    await cut.log.close();
    const again = await open();
    expect(again.found).toEqual([...Array.from({ length: cut.found.length }, (_, k) => record(k)), record(9)]);
    await again.log.close();
  }
});

it("takes nothing from a damaged record on, whichever byte it is", async () => {
  await write(3);
  const whole = readFileSync(path);
  const { places, log } = await open();
  await log.close();
  for (let at = places[1]; at < whole.length; at++) {
    const damaged = Uint8Array.from(whole);
    damaged[at] ^= 0x41;
    writeFileSync(path, damaged);
    const { found, log } = await open();
    expect(found, `byte ${at}`).toEqual([record(0), record(1)].slice(0, at < places[2] ? 1 : 2));
    await log.close();
    expect(statSync(path).size).toBe(at < places[2] ? places[1] : places[2]);
  }
});

it("is cut where somebody else has added to it, and says when a record is changed under it", async () => {
  await write(2);
  appendFileSync(path, "not a record, but longer than the head of one");
  const { found, places, log } = await open();
  expect(found).toEqual([record(0), record(1)]);
  truncateSync(path, places[1] + 3);
  expect(() => log.read(places[1])).toThrow(FormatError);
  await log.close();
});

it("leaves a file alone that is no log", async () => {
  for (const text of ["a", "somebody's notes", "strata2\n and more"]) {
    writeFileSync(path, text);
    await expect(RecordLog.open(path, () => {})).rejects.toThrow(/log is there already and is no log of strata/);
    expect(readFileSync(path, "utf8")).toBe(text);
  }
});

it("names a file that cannot be opened", async () => {
  await expect(RecordLog.open(folder.path("no", "log"), () => {})).rejects.toThrow(IoError);
});
