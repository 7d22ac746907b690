/** Global models in files, with what exporters write beside them about pixels. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkObject, jsonText } from "../../check.js";
import { FormatError, OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import type { GlobalInput } from "../../search/global-identity.js";
import { type GlobalModel, type GlobalModelOptions, openGlobalModel } from "../../search/global-model.js";
import { checkPath, readFileChecked } from "../atomic.js";
import { nodeRuntime } from "../runtime.js";

/** What transformers write beside a model about pixels. */
const PREPROCESSOR = "preprocessor_config.json";

/**
 * Opens the ONNX file of a global model. Mean and std of its input are those of a preprocessor_config.json beside it, as
 * transformers write it (image_mean, image_std), where there is one; `input` of the options goes before that.
 */
export async function loadGlobalModel(path: string, options: GlobalModelOptions = {}): Promise<GlobalModel> {
  const where = "loadGlobalModel";
  checkPath(where, path);
  checkObject(where, "options", options);
  if (!existsSync(path)) {
    throw new OptionError(
      `no global model "${path}": there is no such file; give an ONNX file that makes one vector of a picture`,
    );
  }
  if (statSync(path).isDirectory()) {
    throw new OptionError(`"${path}" is a folder; a global model is an ONNX file that makes one vector of a picture`);
  }
  const { input = {}, ...rest } = options;
  checkObject(where, "input", input);
  const onnx = await readFileChecked(path);
  const beside = await pixelsBeside(path);
  return openGlobalModel(onnx, { name: path, runtime: nodeRuntime, ...rest, input: { ...beside, ...input } });
}

async function pixelsBeside(path: string): Promise<Partial<GlobalInput>> {
  const file = join(dirname(path), PREPROCESSOR);
  if (!existsSync(file)) return {};
  const json = parseJson(file, await readFileChecked(file)) as Record<string, unknown> | null;
  const three = (field: string): number[] | undefined => {
    const value = json?.[field];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length === 3 && value.every(Number.isFinite)) return value;
    throw new FormatError(`${file}: "${field}" must be three numbers, got ${jsonText(value)}`);
  };
  const [mean, std] = [three("image_mean"), three("image_std")];
  return { ...(mean && { mean }), ...(std && { std }) };
}
