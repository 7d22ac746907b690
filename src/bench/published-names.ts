/**
 * Who is who in the published curves (data/published_hpatches.json): readable labels and the figure that each belongs
 * to. The file's names are those of the reference's result caches, without a system: two mark refined matches by
 * `_RANSAC`, two by nothing, and some are one result under two names.
 */

/**
 * "peers": systems of others; "losses": the reference's own, trained with different losses; "variants": what is drawn
 * in neither figure (other extraction options, repeats, results that are in the file twice).
 */
export type PublishedGroup = "peers" | "losses" | "variants";

export interface PublishedName {
  /** The same for a method's raw and refined curve. */
  label: string;
  group: PublishedGroup;
  /** Whether the matches are refined by RANSAC. */
  refined: boolean;
}

/** The reference's final model, whose curves belong into every figure. */
export const FINAL_MODEL = "cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm_SHARED";
export const FINAL_MODEL_REFINED = `${FINAL_MODEL}_RANSAC`;

const MODEL2 = "cfe64_multi_attention_model2_";
const MODEL1 = "cfe64_multi_attention_model_";

/** A row of the table: name in the file, label, group, refined. */
type Row = readonly [name: string, label: string, group: PublishedGroup, refined?: true];

const ROWS: readonly Row[] = [
  ["superpoint", "SuperPoint", "peers"],
  ["hesaffnet", "HesAffNet + HardNet++", "peers"],
  ["hesaff", "Hessian affine + RootSIFT", "peers"],
  ["lf-net", "LF-Net", "peers"],
  ["delf", "DELF", "peers"],
  ["delf-new", "DELF new", "peers"],
  // Weights from ImageNet, and trained on MegaDepth: what is quoted as D2-Net's accuracy (0.430 at 3 px) is the latter.
  ["d2-net", "D2-Net off the shelf", "peers"],
  ["d2-net-ms", "D2-Net off the shelf, multi-scale", "peers"],
  ["d2-net-trained", "D2-Net", "peers"],
  ["d2-net-trained-ms", "D2-Net, multi-scale", "peers"],
  ["d2netREF", "D2-Net", "peers", true],
  ["d2netNORMAL", "D2-Net, repeated", "variants"],

  [FINAL_MODEL, "final model (distinctiveness+, N 2, λ 0.5, squashed, shared)", "losses"],
  [FINAL_MODEL_REFINED, "final model (distinctiveness+, N 2, λ 0.5, squashed, shared)", "losses", true],
  [`${FINAL_MODEL}_02`, "final model, repeated", "variants"],
  ["our-model", "final model under another name", "variants", true],
  [`${MODEL2}distinctiveness+_lossN2_lambda05_sm`, "distinctiveness+, N 2, λ 0.5, squashed", "losses"],
  [`${MODEL2}distinctiveness+_lossN8_lambda01_sm`, "distinctiveness+, N 8, λ 0.1, squashed", "losses"],
  [`${MODEL2}distinctiveness+_lossN8_lambda01_sm_SHARED`, "distinctiveness+, N 8, λ 0.1, squashed, shared", "losses"],
  [`${MODEL2}distinctiveness+_lossN8_lambda1`, "distinctiveness+, N 8, λ 1", "losses"],
  [`${MODEL2}distinctiveness+_lossN16_lambda01_sm`, "distinctiveness+, N 16, λ 0.1, squashed", "losses"],
  [`${MODEL2}distinctiveness+_lossN16_lambda01_lowmargin`, "distinctiveness+, N 16, λ 0.1, low margin", "losses"],
  [
    `${MODEL2}distinctiveness+_lossN16_lambda01_sm_lowmargin_SHARED`,
    "distinctiveness+, N 16, λ 0.1, squashed, low margin, shared",
    "losses",
  ],
  [`${MODEL2}distinctiveness+_loss`, "distinctiveness+, N 32, λ 0.2", "losses"],
  [`${MODEL2}distinctiveness+_lossN32_lambda1`, "distinctiveness+, N 32, λ 1", "losses"],
  [`${MODEL2}distinctiveness+_lossN64_lambda1`, "distinctiveness+, N 64, λ 1", "losses"],
  [`${MODEL2}d2netloss`, "D2-Net's loss", "losses"],
  [`${MODEL2}d2netloss_RANSAC`, "D2-Net's loss", "losses", true],
  [`${MODEL2}d2netloss_backprop`, "D2-Net's loss, encoder trained too", "losses"],
  [`${MODEL1}distinctiveness+_loss`, "softmax head: distinctiveness+, N 32, λ 0.2", "losses"],
  [`${MODEL1}distinctiveness+_lossN8_l1`, "softmax head: distinctiveness+, N 8, λ 1", "losses"],
  [`${MODEL1}distinctiveness+_lossN32_l1`, "softmax head: distinctiveness+, N 32, λ 1", "losses"],

  // What these were is read off their curves and numbers of features; `t3` is the curve of the model it is named for here.
  ["t1", "distinctiveness+, N 2, λ 0.5, squashed: threshold 0.1", "variants"],
  ["t3", "distinctiveness+, N 2, λ 0.5, squashed: threshold 0.3", "variants"],
  ["t3sum", "distinctiveness+, N 2, λ 0.5, squashed: threshold 0.3, summed descriptors", "variants"],
  ["t5", "distinctiveness+, N 2, λ 0.5, squashed: threshold 0.5", "variants"],
  ["t7", "distinctiveness+, N 2, λ 0.5, squashed: threshold 0.7", "variants"],
  ["normal", "unnamed model “normal”", "variants"],
  ["normalshared", "unnamed model “normal”, under another name", "variants"],
  ["shared", "unnamed shared model (as many features as the final model has refined)", "variants"],
  ["d2enc_no_att", "encoder without attention", "variants"],
  ["our_enc_d2net_localization", "encoder with D2-Net's localization", "variants"],
];

/** The published curves by their name in the file. */
export const PUBLISHED_NAMES: ReadonlyMap<string, PublishedName> = new Map(
  ROWS.map(([name, label, group, refined = false]) => [name, { label, group, refined }]),
);

/** What is known of a name; one that is not in the table speaks for itself, `_RANSAC` at its end meaning refined. */
export function publishedName(name: string): PublishedName {
  const refined = name.endsWith("_RANSAC");
  return PUBLISHED_NAMES.get(name) ?? { label: name.replace(/_RANSAC$/, ""), group: "variants", refined };
}
