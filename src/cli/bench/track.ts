/** `strata bench track`: the tracker on rendered videos of photographs. */
import { type TrackedVideos, trackVideos } from "../../node/bench/track-videos.js";
import type { ExtractionFlags } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { stageOf } from "../progress.js";
import { trackOptions } from "../track/model.js";
import { textTable } from "./text-table.js";

export interface TrackBenchFlags extends ExtractionFlags {
  photos: string;
  videos: number;
  seed: number;
  others: number;
  crowd: number;
  json?: boolean;
  quiet?: boolean;
}

export async function trackBenchCommand(flags: TrackBenchFlags, context: Context): Promise<number> {
  const extractor = await context.engine.openExtractor(trackOptions(flags));
  try {
    const { photos, videos, seed, others, crowd, quiet } = flags;
    const openStage = stageOf(quiet, context);
    const measured = await trackVideos({ photos, videos, seed, others, crowd, extractor, openStage });
    if (flags.json) context.out(`${JSON.stringify(measured, null, 2)}\n`);
    else context.out(describe(measured));
    return EXIT.ok;
  } finally {
    await extractor.dispose();
  }
}

const shown = (value: number | null, digits = 2): string => (value === null ? "-" : value.toFixed(digits));

function describe({ figures: f, stages, targetBytes, compileTime, others, crowd }: TrackedVideos): string {
  const rows = [
    ["frames that show the picture well, corners within 3 px", `${(100 * f.within3).toFixed(2)} % of ${f.judged}`],
    ["their median corner error", `${shown(f.median)} px`],
    ["searches until it is found", f.searches.join(" ")],
    ["frames without it, without an outline", `${(100 * f.quiet).toFixed(2)} % of ${f.empty}`],
    ["at rest corners move (RMS)", `${shown(f.restless, 3)} px`],
    ["lag at 300 px/s", `${shown(f.lag)} frames`],
    ["largest target, compiled in", `${(targetBytes / 1000).toFixed(1)} kB, ${compileTime.toFixed(0)} ms`],
    [
      `${others.frames} frames of ${others.pictures} other pictures, without an outline`,
      `${others.frames - others.outlined}`,
    ],
    [
      `${crowd.frames} frames searched, right with one target and with ${crowd.targets}`,
      `${crowd.found.one} and ${crowd.found.many}`,
    ],
    [
      `their search takes, with one and with ${crowd.targets}`,
      `${shown(crowd.search.one, 1)} and ${shown(crowd.search.many, 1)} ms`,
    ],
  ];
  const times = Object.entries(stages).map(([name, time]) => [name, shown(time)]);
  return [textTable(["", "measured"], rows), textTable(["stage", "ms, median"], times)].join("\n");
}
