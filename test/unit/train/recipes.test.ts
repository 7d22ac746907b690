import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { ATTENTION_LOSSES } from "../../../src/train/losses/index.js";
import {
  type AttentionRecipe,
  ENCODER_RECIPES,
  parseAttentionRecipe,
  parseEncoderRecipe,
  parseRecipe,
  READABLE_RECIPES,
  REFERENCE_RECIPES,
} from "../../../src/train/recipes.js";

const model2 = "multi_attention_model2" as const;
const softmax = "multi_attention_model" as const;
const sharedHead = "shared_multi_attention_model2" as const;

type Row = [
  name: string,
  attention: AttentionRecipe["attention"],
  loss: AttentionRecipe["loss"],
  n: number | null,
  lambda: number | null,
  rest?: { margin?: number; squash?: boolean; backprop?: boolean; shared?: boolean },
];

/** Spelled out from the list in reference.md §3. */
const rows: Row[] = [
  ["multi_attention_model2_d2netloss", model2, "d2net", null, null],
  ["multi_attention_model2_d2netloss_backprop", model2, "d2net", null, null, { backprop: true }],
  ["multi_attention_model2_distinctiveness+_loss", model2, "distinctiveness+", 32, 0.2],
  ["multi_attention_model2_distinctiveness+_lossN8_lambda1", model2, "distinctiveness+", 8, 1],
  ["multi_attention_model2_distinctiveness+_lossN32_lambda1", model2, "distinctiveness+", 32, 1],
  ["multi_attention_model2_distinctiveness+_lossN64_lambda1", model2, "distinctiveness+", 64, 1],
  ["multi_attention_model2_distinctiveness+_lossN8_lambda01_sm", model2, "distinctiveness+", 8, 0.1, { squash: true }],
  [
    "multi_attention_model2_distinctiveness+_lossN8_lambda01_sm_SHARED",
    sharedHead,
    "distinctiveness+",
    8,
    0.1,
    { squash: true, backprop: true, shared: true },
  ],
  [
    "multi_attention_model2_distinctiveness+_lossN16_lambda01_sm",
    model2,
    "distinctiveness+",
    16,
    0.1,
    { squash: true },
  ],
  [
    "multi_attention_model2_distinctiveness+_lossN16_lambda01_lowmargin",
    model2,
    "distinctiveness+",
    16,
    0.1,
    { margin: 0.5 },
  ],
  [
    "multi_attention_model2_distinctiveness+_lossN16_lambda01_sm_lowmargin_SHARED",
    sharedHead,
    "distinctiveness+",
    16,
    0.1,
    { margin: 0.5, squash: true, backprop: true, shared: true },
  ],
  ["multi_attention_model2_distinctiveness+_lossN2_lambda05_sm", model2, "distinctiveness+", 2, 0.5, { squash: true }],
  [
    "multi_attention_model2_distinctiveness+_lossN2_lambda05_sm_SHARED",
    sharedHead,
    "distinctiveness+",
    2,
    0.5,
    { squash: true, backprop: true, shared: true },
  ],
  ["multi_attention_model_d2netloss", softmax, "d2net", null, null],
  ["multi_attention_model_d2netloss_backprop", softmax, "d2net", null, null, { backprop: true }],
  ["multi_attention_model_distinctiveness+_loss", softmax, "distinctiveness+", 32, 0.2],
  ["multi_attention_model_distinctiveness+_lossN8_l1", softmax, "distinctiveness+", 8, 1],
  ["multi_attention_model_distinctiveness+_lossN32_l1", softmax, "distinctiveness+", 32, 1],
  ["multi_attention_model_distinctiveness_loss", softmax, "distinctiveness", null, null],
];

describe("the reference's recipes", () => {
  it("are the nineteen of its list", () => {
    expect(REFERENCE_RECIPES).toEqual(rows.map(([name]) => name));
    expect(rows).toHaveLength(19);
    expect(new Set(READABLE_RECIPES).size).toBe(19);
  });

  it.each(rows)("%s", (name, attention, loss, n, lambda, rest = {}) => {
    const { margin = 1, squash = false, backprop = false, shared = false } = rest;
    for (const [prefix, dim] of [
      ["", 64],
      ["cfe64_", 64],
      ["cfe32_", 32],
      ["cfe16_", 16],
    ] as const) {
      const recipe = parseAttentionRecipe(prefix + name);
      expect(recipe).toMatchObject({
        kind: "attention",
        encoder: { dim, kind: shared ? "shared" : "plain" },
        attention,
        loss,
        squash,
        backprop,
        shared,
        rate: 1e-4,
        batch: 64,
      });
      expect(recipe.options.margin).toBe(margin);
      if (n !== null) expect(recipe.options).toEqual({ n, lambda, margin });
      // The readable name says everything.
      expect(parseRecipe(recipe.name)).toEqual(recipe);
    }
    expect(parseRecipe(name).name).toBe(READABLE_RECIPES[REFERENCE_RECIPES.indexOf(name)]);
  });
});

describe("readable recipes", () => {
  it("may be put together freely, words in any order", () => {
    const recipe = parseAttentionRecipe("distinctiveness-lambda0.25-dim16-n10-squashed");
    expect(recipe).toMatchObject({
      encoder: { dim: 16 },
      loss: "distinctiveness+",
      options: { n: 10, lambda: 0.25, margin: 1 },
      squash: true,
    });
    expect(recipe.name).toBe("distinctiveness-n10-lambda0.25-squashed-dim16");
    expect(parseAttentionRecipe("cfe32_d2net").encoder.dim).toBe(32);
    expect(parseAttentionRecipe("distinctiveness+").name).toBe("distinctiveness-n32-lambda0.2");
    expect(parseAttentionRecipe("distinctiveness-margin0.5")).toMatchObject({ loss: "distinctiveness" });
  });

  it("a shared head squashes and its encoder learns, said or not", () => {
    expect(parseRecipe("distinctiveness-n2-lambda0.5-shared")).toEqual(
      parseRecipe("distinctiveness-n2-lambda0.5-squashed-backprop-shared"),
    );
  });
});

describe("encoders", () => {
  it.each([16, 32, 64])("cfe%i", (dim) => {
    expect(parseRecipe(`cfe${dim}`)).toEqual({
      kind: "encoder",
      name: `cfe${dim}`,
      dim,
      correspondenceWeight: 1,
      rate: 1e-3,
    });
    expect(ENCODER_RECIPES).toContain(`cfe${dim}`);
  });

  it("and attention are told apart", () => {
    expect(parseEncoderRecipe("cfe64").dim).toBe(64);
    expect(() => parseEncoderRecipe("d2net")).toThrow(/it trains attention, not an encoder/);
    expect(() => parseAttentionRecipe("cfe64")).toThrow(/it trains an encoder, not attention/);
  });
});

it.each([
  ["", /there is no loss ""/],
  ["cfe64_", /there is no loss ""/],
  ["cfe48", /there is no encoder "cfe48"/],
  ["cfe48_d2net", /there is no encoder "cfe48"/],
  [
    "triplet",
    new RegExp(
      `there is no loss "triplet"; losses are ${Object.keys(ATTENTION_LOSSES).join(", ").replaceAll("+", "\\+")}`,
    ),
  ],
  ["constructor", /there is no loss/],
  ["d2net-n2", /the loss d2net knows no n/],
  ["d2net-margin0.5", /the loss d2net knows no margin/],
  ["distinctiveness-n3", /n must be an even number from 2 to 1024, got 3/],
  ["distinctiveness-n0", /n must be an even number/],
  ["distinctiveness-n2.5", /n must be an even number/],
  ["distinctiveness-n2000000", /n must be an even number/],
  ["distinctiveness-margin0", /margin must lie above 0/],
  ["distinctiveness-margin3", /margin must lie above 0/],
  ["distinctiveness-lambda-1", /"lambda" says nothing/],
  ["distinctiveness-n2-n2", /"n" is there twice/],
  ["d2net-shared-shared", /"shared" is there twice/],
  ["d2net-sharp", /"sharp" says nothing about a recipe/],
  ["d2net-dim48", /encoders have 16, 32, 64 channels, not 48/],
  ["cfe64_d2net-dim32", /it names two sizes, 64 and 32/],
  ["d2net-softmax-shared", /a softmax head is one per level/],
  ["d2net-softmax-squashed", /a softmax head is one per level/],
  ["multi_attention_model2_distinctiveness+_lossN4_lambda1", /there is no loss/],
  ["cfe64_MULTI_attention_model2_d2netloss", /there is no loss/],
])("%j is refused, with all names that there are", (name, message) => {
  expect(() => parseRecipe(name)).toThrow(OptionError);
  expect(() => parseRecipe(name)).toThrow(message);
  for (const known of [...REFERENCE_RECIPES, ...READABLE_RECIPES, ...ENCODER_RECIPES]) {
    expect(() => parseRecipe(name)).toThrow(known);
  }
});
