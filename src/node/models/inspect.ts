/** What a model is made of, whoever made it: strata's own by opening it, others as `strata models import` would read them. */
import { join } from "node:path";
import { OptionError, StrataError } from "../../errors.js";
import { kindOf } from "../../import/detect.js";
import { importWeights } from "../../import/index.js";
import { describeModel } from "../extractor.js";
import { readSource } from "../import-source.js";
import { strataHome } from "./home.js";

export interface Architecture {
  /** The weights; what was named where they lie in several files. */
  path: string;
  /** Whose weights they are: strata, reference, torchvision, delg; or backbone, which finds no features by itself. */
  kind: string;
  /** "resnet50, multi_attention_model2, 64-d", "resnet101, backbone". */
  summary: string;
  /** Whether `--model` takes it as it is. */
  usable: boolean;
  config: Record<string, unknown>;
  /** Numbers in all tensors; null for what is not whole. */
  parameters: number | null;
  tensors: number;
  /** Why it is no whole model; "" for one. */
  problem: string;
}

/**
 * The architecture behind a path (a file or folder, no archive) or the name of a model that comes with strata. Throws as reading does for damage and for what is not the
 * weights of any model known here.
 */
export async function inspectModel(model: string): Promise<Architecture> {
  try {
    const { path, kind, config, parameters, tensors } = await describeModel(model);
    return {
      path,
      kind,
      summary: summaryOf(config),
      usable: true,
      config,
      parameters,
      tensors: tensors.length,
      problem: "",
    };
  } catch (error) {
    // Not a model as it is; perhaps one to import.
    if (!(error instanceof StrataError) || error.code === "E_IO") throw error;
  }
  // Archives are not unpacked here: the scratch folder is never made.
  const source = await readSource(model, { scratch: join(strataHome(), "scratch") });
  const kind = kindOf(source);
  const tensors = source.tensors.size;
  try {
    const imported = importWeights({ source });
    const parameters = [...imported.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    const { config } = imported;
    return { path: model, kind, summary: summaryOf(config), usable: false, config, parameters, tensors, problem: "" };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return {
      path: model,
      kind,
      summary: "",
      usable: false,
      config: {},
      parameters: null,
      tensors,
      problem: error.message,
    };
  }
}

function summaryOf(config: Record<string, unknown>): string {
  const { backbone, attention, descriptorDim, kind, widths } = config;
  const levels = Array.isArray(widths) ? `${widths.length} levels (${widths.join(", ")} channels)` : undefined;
  const parts = [backbone, attention, levels, descriptorDim && `${descriptorDim}-d`, kind === "backbone" && kind];
  return parts.filter((part) => typeof part === "string").join(", ");
}
