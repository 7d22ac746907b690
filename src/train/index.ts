/** Training: pairs and tasks in, trained parameters out. Pure; `strata-features/train` in Node adds files and data sets. */
export { matchErrors } from "./accuracy.js";
export { type Carry, carryOf, correspond, MIN_CORRESPONDENCES } from "./correspondences.js";
export type { Beginning } from "./detector/beginning.js";
export { DETECTOR_LOSSES, type DetectorRecipe, type DetectorTeacher, parseDetectorRecipe } from "./detector/recipe.js";
export { type DetectorExtras, type DetectorTask, detectorTask } from "./detector/task.js";
export type { Lessons, Teacher, TeacherModel } from "./detector/teacher.js";
export { type Cursor, type Group, groupsOf, type Skipped } from "./loader.js";
export * from "./losses/index.js";
export { TRAIN_DEFAULTS, type TrainOptions, trainOptions } from "./options.js";
export type { Layout, Parameter } from "./parameters.js";
export {
  type AttentionRecipe,
  ENCODER_RECIPES,
  type EncoderRecipe,
  parseAttentionRecipe,
  parseEncoderRecipe,
  parseRecipe,
  READABLE_RECIPES,
  REFERENCE_RECIPES,
  type Recipe,
} from "./recipes.js";
export { assembleCheckpoint, REFERENCE_GRID, type ReferenceTraining, referenceTraining } from "./reference/index.js";
export type { LossInputs, LossOutputs, Task } from "./task.js";
export {
  plannedSteps,
  type Snapshot,
  type StepRecord,
  type TrainHooks,
  type TrainOutcome,
  type TrainRequest,
  train,
  type ValidationRecord,
} from "./trainer.js";
export type {
  CellGrid,
  Correspondences,
  DepthWarp,
  HomographyWarp,
  PairBatch,
  PairSource,
  PairWarp,
  PlanesWarp,
  TrainingPair,
} from "./types.js";
