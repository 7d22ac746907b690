/** `strata train recipes`: all recipes with both of their names. */
import { ENCODER_RECIPES, parseRecipe, READABLE_RECIPES, REFERENCE_RECIPES, type Recipe } from "../../train/recipes.js";
import { type Context, EXIT } from "../context.js";

export interface RecipesFlags {
  json?: boolean;
}

export function recipesCommand({ json }: RecipesFlags, context: Context): number {
  const encoders = ENCODER_RECIPES.map((name) => ({ name, reference: name, recipe: parseRecipe(name) }));
  const attention = READABLE_RECIPES.map((name, i) => ({
    name,
    reference: `cfe64_${REFERENCE_RECIPES[i]}`,
    recipe: parseRecipe(name),
  }));
  const all = [...encoders, ...attention];
  if (json) {
    context.out(`${JSON.stringify(all)}\n`);
    return EXIT.ok;
  }
  const lines = all.flatMap(({ name, reference, recipe }) => [
    name,
    ...(reference === name ? [] : [`    as the reference calls it: ${reference}`]),
    `    ${describe(recipe)}`,
  ]);
  context.out(`${lines.join("\n")}\n`);
  return EXIT.ok;
}

function describe(recipe: Recipe): string {
  if (recipe.kind === "encoder") {
    return `encoders of ${recipe.dim} channels; reconstruction + correspondence; Adam ${recipe.rate}`;
  }
  const { attention, loss, options, squash, backprop, shared, rate, batch } = recipe;
  const head = attention === "multi_attention_model" ? "softmax heads" : shared ? "one head for all levels" : "heads";
  const numbers = loss === "distinctiveness+" ? ` (N ${options.n}, λ ${options.lambda}, margin ${options.margin})` : "";
  const extra = [
    squash ? "scores squashed" : "",
    shared ? "encoder and decoder learn beside it" : backprop ? "the encoder learns too" : "encoder frozen",
  ].filter(Boolean);
  return `${head}; ${loss}${numbers}; ${extra.join("; ")}; Adam ${rate}, batch ${batch}`;
}
