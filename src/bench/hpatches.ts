/**
 * HPatches (Balntas et al. 2017), as its evaluation takes it: sequences of six images, image 1 with a homography to each
 * other one, half of them under changing light and half from changing viewpoints.
 */
import { checkList, checkObject, checkText } from "../check.js";
import type { MethodRun, SequenceKind } from "./types.js";

/** Where HPatches' authors publish the sequences. */
export const HPATCHES_URL = "http://icvl.ee.ic.ac.uk/vbalnt/hpatches/hpatches-sequences-release.tar.gz";

/** Name of the folder in that archive. */
export const HPATCHES_FOLDER = "hpatches-sequences-release";

/** Sequences in that archive, and without those of high resolution: as many of each kind as published figures are made on. */
export const HPATCHES_SEQUENCES = { all: 116, kept: 108, illumination: 52, viewpoint: 56 } as const;

/** Images of a sequence. */
export const HPATCHES_IMAGES = 6;

/** Left out by D2-Net and whoever compares with it: too large for some methods. The first is spelled so in the archive. */
export const HIGH_RESOLUTION: readonly string[] = [
  "i_contruction",
  "i_construction",
  "i_crownnight",
  "i_dc",
  "i_pencils",
  "i_whitebuilding",
  "v_artisans",
  "v_astronautis",
  "v_talent",
];

/** Files of a sequence: 1.ppm to 6.ppm, H_1_2 to H_1_6. */
export const SEQUENCE_FILES: readonly string[] = Array.from({ length: HPATCHES_IMAGES }, (_, i) => i + 1).flatMap(
  (k) => (k === 1 ? ["1.ppm"] : [`${k}.ppm`, `H_1_${k}`]),
);

/** HPatches' halves by the prefix of a sequence's name. */
export function sequenceKind(name: string): SequenceKind {
  checkText("sequenceKind", "name", name);
  if (name.startsWith("i_")) return "illumination";
  return name.startsWith("v_") ? "viewpoint" : "other";
}

/**
 * Whether these are as many sequences of each kind as the published figures are made on, and all of them are scored in
 * every run. Only then do published figures say anything beside these.
 */
export function isFullHpatches(
  sequences: readonly { kind: SequenceKind; images: readonly unknown[] }[],
  runs: readonly Pick<MethodRun, "records">[],
): boolean {
  const where = "isFullHpatches";
  for (const one of checkList(where, "sequences", sequences)) {
    checkList(where, "images of a sequence", checkObject(where, "a sequence", one).images);
  }
  for (const run of checkList(where, "runs", runs))
    checkList(where, "records of a run", checkObject(where, "a run", run).records);
  const { kept, illumination, viewpoint } = HPATCHES_SEQUENCES;
  const count = (wanted: SequenceKind) => sequences.filter(({ kind }) => kind === wanted).length;
  return (
    count("illumination") === illumination &&
    count("viewpoint") === viewpoint &&
    sequences.length === kept &&
    sequences.every(({ images }) => images.length === HPATCHES_IMAGES) &&
    runs.every(({ records }) => records.length === sequences.length * (HPATCHES_IMAGES - 1))
  );
}
