/**
 * Files of weights that PyTorch and TensorFlow wrote: read exactly, and damaged. A copy that is damaged gives a typed
 * error or the right data, quickly and in little memory. `STRATA_FUZZ_ROUNDS=2000` makes as many copies of each file.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { StrataError } from "../../src/errors.js";
import { bytesOf, checkNdArray, type NdArray } from "../../src/formats/ndarray.js";
import { readNpz } from "../../src/formats/npz.js";
import type { ByteSource } from "../../src/formats/source.js";
import { readTorchCheckpoint } from "../../src/formats/torch.js";
import { readTensorFile } from "../../src/node/checkpoint-file.js";
import { Random } from "../../src/random.js";
import { cpuTime, machineUnit } from "../cpu.js";
import { fuzz, fuzzRounds } from "../fuzz.js";
import { describeShared } from "../shared.js";
import { damage, KINDS, openArchive } from "./damage.js";

const WHOLE = "checkpoints/cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm.ckpt";
const HEADS = "checkpoints/variant_multi_attention_model_heads.ckpt";
const SHARED_HEADS = "checkpoints/variant_shared_heads.ckpt";

type Tensors = ReadonlyMap<string, NdArray>;

/** As `expect(…).toEqual` would, for hundreds of megabytes. */
function expectSame(actual: Tensors, expected: Tensors): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, { dtype, shape, data }] of expected) {
    const array = actual.get(name) as NdArray;
    expect([name, array.dtype, array.shape]).toEqual([name, dtype, shape]);
    expect(Buffer.compare(bytesOf(array.data), bytesOf(data)), name).toBe(0);
  }
}

describeShared("weights of other programs", (shared) => {
  const at = (path: string) => join(shared, "reference", path);
  const load = (path: string) => new Uint8Array(readFileSync(at(path)));

  it("TensorFlow's checkpoint reads exactly", async () => {
    const expected = readNpz(load("formats/tensorflow/expected.npz"));
    const { format, tensors } = await readTensorFile(at("formats/tensorflow"));
    expect(format).toBe("tensorflow");
    expectSame(
      new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1))),
      new Map(
        Object.entries(expected)
          .map(([name, array]): [string, NdArray] => [name.replaceAll("|", "/"), array])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    );
  });

  it.each([WHOLE, HEADS, SHARED_HEADS, "formats/torch_zip.pth", "formats/torch_legacy.pth"])(
    "%s gives the same read in pieces from the disk as out of memory",
    async (path) => {
      const { format, tensors, other } = await readTensorFile(at(path));
      const whole = readTorchCheckpoint(load(path));
      expect(format).toBe("torch");
      expectSame(tensors, whole.tensors);
      expect(other).toEqual(whole.meta);
    },
  );

  it("the whole checkpoint takes little time, and at most 250 MB beyond Node's own", () => {
    const child = fileURLToPath(new URL("read-whole-child.ts", import.meta.url));
    const args = ["--import", "tsx", child, at(WHOLE)];
    const { units, bytes, tensors } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    console.info(`${basename(WHOLE)}: ${units.toFixed(0)} units, ${(bytes / 1e6).toFixed(0)} MB`);
    expect(tensors).toBe(359);
    // It takes some twenty.
    expect(units).toBeLessThan(66);
    expect(bytes).toBeLessThan(250e6);
  });

  it("PyTorch's two containers hold the same", () => {
    const [zip, legacy] = ["zip", "legacy"].map((kind) => readTorchCheckpoint(load(`formats/torch_${kind}.pth`)));
    expectSame(zip.tensors, legacy.tensors);
  });

  it("a wrong byte in any tensor is found by the archive's checksum", () => {
    const archive = openArchive(load(SHARED_HEADS));
    const stores = archive.entries.filter(({ name, size }) => /\/data\/\d+$/.test(name) && size > 0);
    expect(stores.length).toBeGreaterThan(20);
    for (const { name, start, size } of stores) {
      for (const place of [start, start + (size >> 1), start + size - 1]) {
        archive.base[place] ^= 1;
        expect(() => readTorchCheckpoint(archive.base), name).toThrow(`"${name}" does not match its checksum`);
        archive.base[place] ^= 1;
      }
    }
    expect(readTorchCheckpoint(archive.base).tensors.size).toBeGreaterThan(20);
  });

  const folder = mkdtempSync(join(tmpdir(), "strata-damaged-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
    console.info(`weights, damaged: at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MB in this process`);
  });

  /** Times each call by the processor, so that one that nearly hangs is seen. */
  const timed = <A extends unknown[], T>(read: (...args: A) => T | Promise<T>) => {
    const timer = {
      longest: 0,
      read: async (...args: A): Promise<T> => {
        const start = cpuTime();
        try {
          return await read(...args);
        } finally {
          timer.longest = Math.max(timer.longest, cpuTime() - start);
        }
      },
    };
    return timer;
  };

  const report = (path: string, counts: { read: number; refused: number }, longest: number): void => {
    console.info(`${path}: ${counts.refused} refused, ${counts.read} right, longest ${longest.toFixed(0)} ms`);
    expect(longest).toBeLessThan(600 * machineUnit());
    expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(1e9);
  };

  it.each([
    ["formats/torch_zip.pth", 150],
    [HEADS, 150],
    ["formats/torch_legacy.pth", 150],
    ["formats/tensorflow/variables.index", 150],
    ["formats/tensorflow/variables.data-00000-of-00001", 40],
  ])("damaged copies of %s give a typed error or the right data", async (path, share) => {
    const right = (await readTensorFile(path.includes("tensorflow") ? at("formats/tensorflow") : at(path))).tensors;
    const isLegacy = path.includes("legacy");
    const file = join(folder, basename(path));
    for (const name of ["variables.index", "variables.data-00000-of-00001"]) {
      if (path.includes("tensorflow")) writeFileSync(join(folder, name), load(`formats/tensorflow/${name}`));
    }
    const timer = timed(async (bytes: Uint8Array) => {
      writeFileSync(file, bytes);
      return readTensorFile(file);
    });
    const rounds = fuzzRounds(share);
    const check = ({ tensors }: { tensors: Tensors }) => {
      for (const [name, array] of tensors) checkNdArray(name, array);
      // The legacy container has no checksums: values and names may be others.
      if (!isLegacy) expectSame(tensors, right);
    };
    const counts = await fuzz(load(path), timer.read, check, { rounds, seed: 11 });
    report(path, counts, timer.longest);
    expect(counts.refused).toBeGreaterThan(rounds / 10);
  });

  it.each([
    [SHARED_HEADS, 60],
    [WHOLE, 60],
  ])("damaged copies of %s give a typed error or the right data", async (path, share) => {
    const archive = openArchive(load(path));
    const right = readTorchCheckpoint(archive.base).tensors;
    const rounds = fuzzRounds(share);
    const random = new Random(12);
    const counts = { read: 0, refused: 0 };
    const timer = timed((source: ByteSource) => readTorchCheckpoint(source));
    for (let round = 0; round < rounds; round++) {
      const kind = KINDS[round % KINDS.length];
      const source = damage(kind, archive, random);
      let tensors: Tensors;
      try {
        tensors = (await timer.read(source)).tensors;
      } catch (error) {
        if (!(error instanceof StrataError)) throw new Error(`round ${round}, ${kind}`, { cause: error });
        counts.refused++;
        continue;
      }
      counts.read++;
      for (const [name, array] of tensors) checkNdArray(name, array);
      // A pickle whose checksum was made right says what it likes, about the same bytes.
      if (kind !== "resealed pickle") expectSame(tensors, right);
      expect(kind).not.toBe("data");
    }
    report(path, counts, timer.longest);
    expect(counts.refused).toBeGreaterThan(rounds / 3);
  });
});
