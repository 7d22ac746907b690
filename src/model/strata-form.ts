/** What of a configuration decides how the default family's network is put together, with its defaults. */
import type { Join, StrataConfig } from "./config.js";

export interface StrataForm {
  join: Join;
  /** Whether level 0 and the score head are at half resolution. */
  half: boolean;
  /** Levels of the descriptor's encoders and of the score head's taps. */
  descriptorLevels: readonly number[];
  scoreLevels: readonly number[];
}

/** The form of a configuration's network. */
export function strataForm({
  join = "direct",
  stem = "full",
  descriptorLevels = [1, 2, 3, 4],
  scoreLevels = [0, 1, 2, 3, 4],
}: Partial<Pick<StrataConfig, "join" | "stem" | "descriptorLevels" | "scoreLevels">>): StrataForm {
  return { join, half: stem === "half", descriptorLevels, scoreLevels };
}

/** Pixels per cell of a level, across and down. */
export const cellSize = (level: number, half: boolean): number => 2 ** (half ? Math.max(1, level) : level);

/** A convolution with a norm behind it: its name, its kernel's shape, and its stride. */
export interface NormedConv {
  name: string;
  kernel: [out: number, from: number, height: number, width: number];
  stride: 1 | 2;
}

/** The two convolutions of a level. A stride of 2 goes with 4×4 kernels, whose middle is the cell's. */
export function levelConvs(
  level: number,
  { widths, innerWidths = widths, stem }: Pick<StrataConfig, "widths" | "innerWidths" | "stem">,
): { a: NormedConv; b: NormedConv } {
  const [out, inner, from] = [widths[level], innerWidths[level], level === 0 ? 3 : widths[level - 1]];
  const stride = level === 0 && stem === "half" ? 2 : 1;
  const side = stride === 2 ? 4 : 3;
  return {
    a: { name: `levels.${level}.a`, kernel: [inner, from, 3, 3], stride: 1 },
    b: { name: `levels.${level}.b`, kernel: [out, inner, side, side], stride },
  };
}

/** Values that the score head gives for a cell of level 0: repeatability and reliability of each of its pixels. */
export const attentionOutputs = ({ stem }: Pick<StrataConfig, "stem">): number => (stem === "half" ? 8 : 2);
