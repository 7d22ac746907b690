/** Losses and correspondences against those of the reference: reference.md §3, `losses/`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { numpy as np } from "@jax-js/jax";
import "../../src/graph/jax-now.js";
import { expect, it } from "vitest";
import { openHdf5 } from "../../src/formats/hdf5.js";
import { type NdArray, toFloat32 } from "../../src/formats/ndarray.js";
import { readNpz } from "../../src/formats/npz.js";
import { conv2d, decode1x1, relu } from "../../src/model/operators.js";
import { correspond } from "../../src/train/correspondences.js";
import { ATTENTION_LOSSES, correspondenceLoss, peakyLoss, reconstructionLoss } from "../../src/train/losses/index.js";
import type { CellGrid, DepthWarp, TrainingPair } from "../../src/train/types.js";
import { graphGradients, type Named } from "../gradients.js";
import type { Values } from "../networks.js";
import { describeShared } from "../shared.js";

const SIZE = 256;
/** Three steps of p ← 2p + 0.5. */
const GRID: CellGrid = { width: 32, height: 32, scale: 8, shift: 3.5 };
const CELLS = GRID.width * GRID.height;
const PAIRS = 4;
/** The recipes' λ, for which the gradients of each N are given. */
const GRADIENT_LAMBDA: Record<number, number> = { 2: 0.5, 16: 0.1 };
const NO_OPTIONS = { n: 0, lambda: 0, margin: 0 };

interface PairRecord {
  depth_path1: string;
  depth_path2: string;
  intrinsics1: number[][];
  intrinsics2: number[][];
  pose1: number[][];
  pose2: number[][];
  bbox1: [number, number];
  bbox2: [number, number];
}

describeShared("losses of the reference", (shared) => {
  const folder = join(shared, "reference/losses");
  const arrays = readNpz(readFileSync(join(folder, "losses.npz")));
  const found = readNpz(readFileSync(join(folder, "correspondences.npz")));
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Record<string, number>;
  const peaky = expected as unknown as Record<string, [number, number]>;
  const values = ({ shape, data }: NdArray): Values => ({ shape, data: data as Float32Array });
  const pick = (...names: string[]) => Object.fromEntries(names.map((name) => [name, values(arrays[name])]));

  /** What the reference found, as inputs: its positions are row, column in pixels. */
  function given(): Named<Values> {
    const targets = new Float32Array(PAIRS * CELLS * 2);
    const valid = new Float32Array(PAIRS * CELLS);
    for (let pair = 0; pair < PAIRS; pair++) {
      const rows = toFloat32(found[`pos2_${pair}`]);
      const { data: ids } = found[`ids_${pair}`];
      const count = ids.length;
      ids.forEach((id, k) => {
        const at = pair * CELLS + Number(id);
        valid[at] = 1;
        targets[2 * at] = (rows[count + k] - GRID.shift) / GRID.scale;
        targets[2 * at + 1] = (rows[k] - GRID.shift) / GRID.scale;
      });
    }
    return {
      targets: { shape: [PAIRS, CELLS, 2], data: targets },
      valid: { shape: [PAIRS, CELLS], data: valid },
      pairWeights: { shape: [PAIRS], data: new Float32Array(PAIRS).fill(1) },
    };
  }

  const pairsOf = (v: Named<np.Array>, c: Named<np.Array>) => ({
    maps: [v.z1 ?? c.z1, v.z2 ?? c.z2] as const,
    scores: [v.a1, v.a2] as const,
    targets: c.targets,
    valid: c.valid,
    pairWeights: c.pairWeights,
  });

  function near(actual: number, wanted: number): void {
    expect(Math.abs(actual - wanted) / Math.abs(wanted)).toBeLessThan(1e-4);
  }

  /** Largest difference relative to the largest entry. */
  function nearGradient(actual: Float32Array, name: string): void {
    const wanted = toFloat32(arrays[name]);
    expect(actual.length).toBe(wanted.length);
    let [worst, largest] = [0, 0];
    for (let i = 0; i < wanted.length; i++) {
      worst = Math.max(worst, Math.abs(actual[i] - wanted[i]));
      largest = Math.max(largest, Math.abs(wanted[i]));
    }
    expect(worst / largest, name).toBeLessThan(1e-3);
  }

  it("correspondence", async () => {
    const { loss, gradients } = await graphGradients(
      (v, c) => {
        const { scores, ...pairs } = pairsOf(v, c);
        return correspondenceLoss(pairs);
      },
      pick("z1", "z2"),
      given(),
    );
    near(loss, expected.correspondence);
    nearGradient(gradients.z1, "correspondence_dz1");
    nearGradient(gradients.z2, "correspondence_dz2");
  });

  it("d2net", async () => {
    const { loss, gradients } = await graphGradients(
      (v, c) => ATTENTION_LOSSES.d2net.loss(pairsOf(v, c), NO_OPTIONS).loss,
      pick("z1", "z2", "a1", "a2"),
      given(),
    );
    near(loss, expected.d2net_triplet_margin);
    for (const name of ["z1", "z2", "a1", "a2"]) nearGradient(gradients[name], `d2net_d${name}`);
  });

  const settings = Object.keys(expected).flatMap((name): [string, number, number, number][] => {
    const match = /^distinctiveness_N(\d+)_lambda([\d.]+)(?:_margin([\d.]+))?$/.exec(name);
    return match ? [[name, Number(match[1]), Number(match[2]), Number(match[3] ?? 1)]] : [];
  });

  it("there are as many settings as the reference was asked for", () => expect(settings).toHaveLength(17));

  it.each(settings)("%s", async (name, n, lambda, margin) => {
    const { loss, gradients } = await graphGradients(
      (v, c) => {
        const value = ATTENTION_LOSSES["distinctiveness+"].loss(pairsOf(v, c), { n, lambda, margin });
        for (const part of Object.values(value.parts)) part.dispose();
        return value.loss;
      },
      pick("a1", "a2"),
      { ...given(), ...pick("z1", "z2") },
    );
    near(loss, expected[name]);
    const base = name.replace(/_lambda.*/, "");
    if (`${base}_da1` in arrays && lambda === GRADIENT_LAMBDA[n] && margin === 1) {
      nearGradient(gradients.a1, `${base}_da1`);
      nearGradient(gradients.a2, `${base}_da2`);
    }
  });

  it.each([2, 16])("peaky, N = %i", async (n) => {
    for (const [i, name] of ["a1", "a2"].entries()) {
      const { loss } = await graphGradients((v, c) => peakyLoss(v[name], c.pairWeights, n), pick(name), {
        pairWeights: given().pairWeights,
      });
      near(loss, peaky[`peaky_N${n}`][i]);
    }
  });

  it("reconstruction", async () => {
    const { loss, gradients } = await graphGradients(
      (v, c) => {
        const encoded = conv2d(c.recon_x.ref, { weight: v.recon_we, bias: np.zeros([16]) });
        const decoded = relu(decode1x1(encoded, { weight: v.recon_wd, bias: np.zeros([96]) }));
        return reconstructionLoss(c.recon_x, decoded, c.pairWeights);
      },
      pick("recon_we", "recon_wd"),
      { ...pick("recon_x"), pairWeights: { shape: [2], data: Float32Array.of(1, 1) } },
    );
    near(loss, expected.reconstruction);
    nearGradient(gradients.recon_we, "recon_dwe");
    nearGradient(gradients.recon_wd, "recon_dwd");
  });

  it("correspondences by depth, the same cells within 1e-3 px", async () => {
    const records = JSON.parse(readFileSync(join(folder, "batch_pairs.json"), "utf8")) as PairRecord[];
    expect(records).toHaveLength(PAIRS);
    for (const [k, record] of records.entries()) {
      const { targets, valid, count } = correspond(await pairOf(record), GRID);
      const ids = [...(found[`ids_${k}`].data as BigInt64Array)].map(Number);
      expect([...valid.keys()].filter((cell) => valid[cell])).toEqual(ids);
      expect(count).toBe(ids.length);
      const rows = toFloat32(found[`pos2_${k}`]);
      ids.forEach((cell, i) => {
        const x = targets[2 * cell] * GRID.scale + GRID.shift;
        const y = targets[2 * cell + 1] * GRID.scale + GRID.shift;
        expect(Math.hypot(x - rows[ids.length + i], y - rows[i])).toBeLessThan(1e-3);
      });
    }
  });

  /** The crops' depths and cameras; the images themselves do not matter here. */
  async function pairOf(record: PairRecord): Promise<TrainingPair> {
    const depth = async (path: string, [top, left]: [number, number]) => {
      const bytes = readFileSync(join(shared, "reference/megadepth", path));
      const whole = await openHdf5(path, bytes, 1e8, (file) => file.read("depth"));
      const values = toFloat32(whole);
      const crop = new Float32Array(SIZE * SIZE);
      for (let y = 0; y < SIZE; y++) {
        const start = (top + y) * whole.shape[1] + left;
        crop.set(values.subarray(start, start + SIZE), y * SIZE);
      }
      return crop;
    };
    const warp: DepthWarp = {
      kind: "depth",
      depths: [await depth(record.depth_path1, record.bbox1), await depth(record.depth_path2, record.bbox2)],
      intrinsics: [Float64Array.from(record.intrinsics1.flat()), Float64Array.from(record.intrinsics2.flat())],
      poses: [Float64Array.from(record.pose1.flat()), Float64Array.from(record.pose2.flat())],
      boxes: [record.bbox1, record.bbox2],
    };
    const image = { width: SIZE, height: SIZE, data: new Uint8Array(0) };
    return { id: record.depth_path1, images: [image, image], warp };
  }
});
