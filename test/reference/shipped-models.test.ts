/** The models that ship, on the four sequences of the peers' figures: what their cards say is what is measured. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { summarize } from "../../src/bench/summary.js";
import type { Extractor } from "../../src/extract/extractor.js";
import { setDefaultRuntime } from "../../src/graph/session.js";
import { DEFAULT_MODEL, openExtractor } from "../../src/node/extractor.js";
import { nodeRuntime } from "../../src/node/runtime.js";
import { CARD_SEQUENCES, scoreSequences } from "../hseq.js";
import { describeShared } from "../shared.js";

/** MMA@1, 3, 5, refined MMA@3 and H@1, 3, 5 of the card's line of these sequences. */
function cardFigures(model: string): number[] {
  const card = readFileSync(fileURLToPath(new URL(`../../models/${model}/CARD.md`, import.meta.url)), "utf8");
  const line = card.split("\n").find((text) => text.startsWith(`| ${CARD_SEQUENCES.join(", ")} |`));
  const cells = line?.split("|").slice(2, 9).map(Number);
  if (!cells?.every(Number.isFinite)) throw new Error(`${model}: no figures in the card's line ${line}`);
  return cells;
}

describeShared("models that ship", (shared) => {
  let extractor: Extractor | undefined;
  afterEach(() => extractor?.dispose());

  it.each([DEFAULT_MODEL, "strata-xs", "strata-t"])("%s: scores are those of its card", async (model) => {
    setDefaultRuntime(nodeRuntime);
    const own = await openExtractor({ model });
    extractor = own;
    const pairs = await scoreSequences(join(shared, "hseq"), CARD_SEQUENCES, (image) => own.extract(image));
    const { mma, refinedMma, homography } = summarize(pairs);
    const measured = [mma[0], mma[2], mma[4], refinedMma[2], ...homography.magsac.accuracy];
    const boat = summarize(pairs.filter(({ sequence }) => sequence === "v_boat")).mma[2];
    console.info(`${model}: ${measured.map((v) => v.toFixed(3)).join(" ")}, boat ${boat.toFixed(3)}`);
    for (const [i, figure] of cardFigures(model).entries()) {
      // One of twenty homographies may fall on the other side of a pixel on another machine.
      expect(Math.abs(measured[i] - figure), `figure ${i + 1}: ${measured[i]}`).toBeLessThanOrEqual(
        i < 4 ? 0.01 : 0.051,
      );
    }
  });
});
