/** `strata track`: flat pictures followed through the frames of a folder or a video. */
import { OptionError } from "../../errors.js";
import type { Intrinsics } from "../../geometry/intrinsics.js";
import { openFrames } from "../../node/track/frames.js";
import { loadTarget } from "../../node/track/load-target.js";
import { checkOut, type FrameRecord, trackFrames } from "../../node/track/track-frames.js";
import { plural } from "../../plural.js";
import { ASSUMED_FIELD_OF_VIEW } from "../../track/camera.js";
import { POOR_QUALITY } from "../../track/quality.js";
import type { Target } from "../../track/target.js";
import { createTracker } from "../../track/tracker.js";
import type { TrackedFrame } from "../../track/types.js";
import { type ExtractionFlags, imageOptions } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { openProgress } from "../progress.js";
import { modelOfTargets, trackOptions } from "./model.js";

export interface TrackFlags extends ExtractionFlags {
  out?: string;
  intrinsics?: Intrinsics;
  maxTrack?: number;
  rate?: number;
  json?: boolean;
  quiet?: boolean;
}

export async function trackCommand(paths: readonly string[], flags: TrackFlags, context: Context): Promise<number> {
  if (paths.length < 2) {
    throw new OptionError("strata track needs a target or more, and the frames: strata track poster.strata frames/");
  }
  const named = paths.slice(0, -1);
  const frames = paths[paths.length - 1];
  const onWarning = (warning: string) => context.err(`strata: warning: ${warning}\n`);
  const image = { ...imageOptions(flags), onWarning };
  const source = await openFrames(frames, image);
  if (flags.out !== undefined) await checkOut(flags.out, frames);
  const extractor = await context.engine.openExtractor(trackOptions(flags, await modelOfTargets(named)));
  const interrupt = context.listenForInterrupt();
  try {
    const targets: Target[] = [];
    for (const path of named) {
      const target = await loadTarget(path, async () => extractor, { image });
      if (target.quality.score < POOR_QUALITY) {
        context.err(`strata: warning: ${path} is a poor picture to track: ${target.quality.reason}\n`);
      }
      targets.push(target);
    }
    const tracker = createTracker({
      targets,
      extractor,
      maxTrack: flags.maxTrack ?? targets.length,
      intrinsics: flags.intrinsics ?? null,
    });
    const quiet = (flags.quiet ?? false) || (!flags.json && !context.terminal);
    const progress = await openProgress({
      total: source.count ?? 0,
      unit: ["frame", "frames"],
      terminal: context.terminal,
      quiet,
      write: context.err,
    });
    const teller = new Teller(targets, flags, context);
    try {
      await trackFrames(tracker, source, {
        rate: flags.rate,
        out: flags.out,
        signal: interrupt.signal,
        onFrame(record, tracked, name) {
          if (flags.json) context.out(`${JSON.stringify(record)}\n`);
          teller.see(record, tracked, name);
          progress.update(record.frame + 1, record.frame + 1);
        },
      });
    } finally {
      progress.stop();
    }
    teller.end();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    context.err("strata: interrupted\n");
    return EXIT.interrupted;
  } finally {
    interrupt.release();
    await extractor.dispose();
  }
}

/** What people are told: when a target comes and goes, and a summary. */
class Teller {
  private frames = 0;
  private searches = 0;
  private time = 0;
  private readonly seen: number[];
  private readonly visible: boolean[];

  constructor(
    private readonly targets: readonly Target[],
    private readonly flags: TrackFlags,
    private readonly context: Context,
  ) {
    this.seen = targets.map(() => 0);
    this.visible = targets.map(() => false);
  }

  see(record: FrameRecord, tracked: TrackedFrame, name: string): void {
    this.frames++;
    this.time += tracked.times.total;
    if (tracked.searched) this.searches++;
    for (const [t, { corners, state }] of record.targets.entries()) {
      if (corners) this.seen[t]++;
      const isVisible = state !== "lost";
      if (isVisible !== this.visible[t])
        this.tell(`frame ${record.frame} (${name}): ${this.targets[t].name} ${isVisible ? "found" : "lost"}\n`);
      this.visible[t] = isVisible;
    }
  }

  end(): void {
    const { frames, targets } = this;
    for (const [t, { name }] of targets.entries())
      this.tell(`${name}: seen in ${this.seen[t]} of ${plural(frames, "frame")}\n`);
    const each = frames === 0 ? "" : `, ${(this.time / frames).toFixed(1)} ms each in the mean`;
    this.tell(`${plural(frames, "frame")}${each}, ${plural(this.searches, "search", "searches")}`);
    const assumed = this.flags.intrinsics
      ? ""
      : `; poses assume a field of view of ${ASSUMED_FIELD_OF_VIEW}° (--intrinsics)`;
    this.tell(`${assumed}\n${this.flags.out === undefined ? "" : `written: ${this.flags.out}\n`}`);
  }

  private tell(text: string): void {
    if (!this.flags.json && !this.flags.quiet) this.context.out(text);
  }
}
