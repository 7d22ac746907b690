/** The default family's configurations (strata-s…). */
import { parseScoreConfig, type ScoreConfig } from "./score-config.js";

/** How the score head's taps meet at full resolution; see `joinTaps` in strata.ts. */
export const JOINS = ["direct", "cascade"] as const;
export type Join = (typeof JOINS)[number];

/** Where level 0 ends, and with it the score head's taps: at full resolution, or at half of it ("half", "early"). */
export const STEMS = ["full", "half", "early"] as const;
export type Stem = (typeof STEMS)[number];

const LEVELS = 5;

export interface StrataConfig extends ScoreConfig {
  /** Channels of each level, level 0 at full resolution, each next one at half of it. */
  widths: number[];
  /** Channels between the two convolutions of each level; default `widths`. */
  innerWidths?: number[];
  /**
   * Default "full". "half": the second convolution of level 0 has a stride of 2, the score head works there, and gives
   * a value for each of the four pixels of its cells. "early": the first one has it, and nothing is at full resolution.
   */
  stem?: Stem;
  /** Levels 1…4 that the descriptor sees; default all. */
  descriptorLevels?: number[];
  /** Levels 0…4 that the score head sees; default all. */
  scoreLevels?: number[];
  attentionWidth: number;
  /** Default "direct". */
  join?: Join;
  bnEps: number;
}

const OWN = [
  ...["widths", "innerWidths", "stem", "descriptorLevels", "scoreLevels"],
  ...["descriptorDim", "attentionWidth", "join", "bnEps"],
];

/** Reads and checks a configuration; FormatError names the first field that is unknown or does not fit. */
export const parseStrataConfig = (where: string, value: unknown): StrataConfig =>
  parseScoreConfig(where, value, OWN, (fields) => {
    const optional = {
      innerWidths: fields.has("innerWidths") ? fields.counts("innerWidths", LEVELS) : undefined,
      stem: fields.choice("stem", STEMS),
      descriptorLevels: fields.levels("descriptorLevels", 1, LEVELS),
      scoreLevels: fields.levels("scoreLevels", 0, LEVELS),
      join: fields.choice("join", JOINS),
    };
    return {
      widths: fields.counts("widths", LEVELS),
      descriptorDim: fields.count("descriptorDim"),
      attentionWidth: fields.count("attentionWidth"),
      ...Object.fromEntries(Object.entries(optional).filter(([, given]) => given !== undefined)),
      bnEps: fields.epsilon("bnEps"),
    };
  });
