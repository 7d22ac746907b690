/** Pictures of a training in TensorBoard's files: what is drawn, of which pairs, and that drawing changes nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTfEvents } from "../../../src/formats/tfevents.js";
import { loadImage } from "../../../src/node/images.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { referenceTask } from "../../../src/node/train/reference-task.js";
import { runTraining } from "../../../src/node/train/run.js";
import { parseRecipe } from "../../../src/train/recipes.js";
import { referenceTensors } from "../../models.js";
import { shiftedPairs } from "./shifted.js";

const runtime = { runtime: nodeRuntime, threads: 1 };
const weights = referenceTensors({ depth: 18, dim: 16 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-pictures-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(name: string, recipe: string, pictures: number) {
  const out = join(folder, name);
  const notes: string[] = [];
  const task = referenceTask({ recipe: parseRecipe(recipe), weights, cropSize: 64, preprocessing: "torch", runtime });
  const result = await runTraining({
    out,
    task,
    train: shiftedPairs(4),
    validation: shiftedPairs(3, { seed: 77 }),
    options: { batch: 2, epochs: 2, rate: 1e-3, seed: 5 },
    runtime,
    versions: { strata: "test" },
    pictures,
    note: (message) => void notes.push(message),
  });
  await task.dispose();
  const logs = join(out, "tb_logs");
  const file = readdirSync(logs, { recursive: true, encoding: "utf8" }).find((path) => path.includes("tfevents"));
  const { events } = readTfEvents(readFileSync(join(logs, file as string)));
  const images = events.flatMap(({ step, values = [] }) =>
    values.flatMap((value) => (value.kind === "image" ? [{ step, ...value }] : [])),
  );
  return { result, notes, images };
}

describe("pictures of a training", () => {
  it("are score maps by level and matches of the first validation pairs, after each epoch", async () => {
    const { result, images, notes } = await run("heads", "distinctiveness-n2-lambda0.5-squashed-dim16", 2);
    const tags = [0, 1].flatMap((pair) =>
      ["early: score", "middle: score", "deep: score", "matches"].map((what) => `pair ${pair}/${what}`),
    );
    expect(images.map(({ step, tag }) => `${step} ${tag}`)).toEqual(
      [2, 4].flatMap((step) => tags.map((tag) => `${step} ${tag}`)),
    );
    expect(notes).toEqual([]);
    for (const { tag, width, height, encoded } of images) {
      const picture = await loadImage(encoded, { name: tag });
      expect([picture.width, picture.height]).toEqual([width, height]);
      // Not one flat colour.
      expect(new Set(picture.data).size, tag).toBeGreaterThan(5);
    }
    // Another network is drawn after the second epoch.
    const early = images.filter(({ tag }) => tag === "pair 0/early: score");
    expect(early[0].encoded).not.toEqual(early[1].encoded);
    const without = await run("plain", "distinctiveness-n2-lambda0.5-squashed-dim16", 0);
    expect(without.images).toEqual([]);
    expect(without.result.best).toEqual(result.best);
  });

  it("are none of an encoder, which is said once", async () => {
    const { images, notes } = await run("encoder", "cfe16", 2);
    expect(images).toEqual([]);
    expect(notes).toEqual(["no pictures in TensorBoard: what cfe16 trains finds no keypoints by itself"]);
  });
});
