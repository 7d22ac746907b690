/** What a training in a folder needs beyond a task: the model that comes out. */

import type { ReferenceChoices } from "../../extract/models.js";
import type { PreprocessingName } from "../../extract/preprocess.js";
import type { NdArray } from "../../formats/ndarray.js";
import type { ScoreConfig } from "../../model/score-config.js";
import type { Parameter } from "../../train/parameters.js";
import type { Task } from "../../train/task.js";

/** A task whose outcome is a model that can be opened. */
export interface ModelTask extends Task {
  /** What the model's config.json says of the network; checksum, recipe and training are added. */
  readonly config: ScoreConfig | { kind: string; name: string; preprocessing: PreprocessingName };
  /** How it is to be opened beside that; default: as it is. */
  readonly choices?: ReferenceChoices;
  /** The model's tensors: what was learnt in `steps` updates, with what was frozen. */
  checkpoint(parameters: readonly Parameter[], state: readonly Parameter[], steps: number): Map<string, NdArray>;
}
