/**
 * Name of the model that targets are compiled with unless another is asked for: the smallest one, whose searches delay a
 * camera's frames least, and with which a page stays small.
 */
export const TRACK_MODEL = "strata-t";
