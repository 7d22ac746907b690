/**
 * A picture's way through a video, by seed: at rest, moving, turning to 180°, tilting to 60°, from a quarter of its size to
 * twice, leaving and returning, partly covered, with motion blur, in changing light, and gone from one frame to the next.
 */
import type { Intrinsics } from "../../geometry/intrinsics.js";
import { Random } from "../../random.js";

/** What one moment of the video shows. */
export interface Moment {
  /** Middle of the picture in the frame, in pixels. */
  x: number;
  y: number;
  /** Its size: 1 is `BASE` of the frame's width. */
  size: number;
  /** Turn in the image, tilt, and the direction of the axis that it tilts about, in degrees. */
  turn: number;
  tilt: number;
  axis: number;
  /** Share of the picture that something covers, from its left. */
  cover: number;
  /** Light: 1 as the picture is. */
  gain: number;
}

/** A part of the video. */
export interface Chapter {
  name: string;
  frames: number;
  /** Where the picture is at its end; it begins where the one before ended. */
  to: Partial<Moment>;
  /** Share of the time between two frames during which the shutter is open. Default 0: no motion blur. */
  shutter?: number;
  /** Whether the picture is there at all. Default true. */
  shown?: boolean;
  /** Even motion instead of one that begins and ends slowly. */
  even?: boolean;
}

/** The picture's width over the frame's at size 1. */
export const BASE = 0.42;

/** A video's chapters for frames of that size, others for every seed. */
export function chapters(width: number, height: number, seed: number): { start: Moment; chapters: Chapter[] } {
  const random = new Random(seed);
  const between = (low: number, high: number) => random.uniform(low, high);
  const side = () => (random.integer(2) ? 1 : -1);
  const place = () => ({ x: width * between(0.35, 0.65), y: height * between(0.38, 0.62) });
  const start: Moment = {
    ...place(),
    size: 1,
    turn: between(-20, 20),
    tilt: 0,
    axis: between(0, 360),
    cover: 0,
    gain: 1,
  };
  const [from, step] = [width * between(0.25, 0.35), side()];
  const spin = side();
  const away = () =>
    random.integer(2)
      ? { x: width * (0.5 + side()), y: height * 0.5 }
      : { x: width * 0.5, y: height * (0.5 + 1.2 * side()) };
  const axis = () => between(0, 360);
  const list: Chapter[] = [
    { name: "rest", frames: 45, to: {} },
    { name: "to a side", frames: 20, to: { x: step > 0 ? from : width - from } },
    // 300 pixels a second at 30 frames a second.
    { name: "even motion", frames: 26, to: { x: (step > 0 ? from : width - from) + step * 260 }, even: true },
    { name: "turn", frames: 70, to: { ...place(), turn: start.turn + 180 * spin } },
    { name: "turn back", frames: 50, to: { turn: between(-30, 30) } },
    ...[60, 50, 55].flatMap((tilt): Chapter[] => [
      { name: "tilt", frames: 30, to: { tilt, axis: axis(), ...place() } },
      { name: "turn tilted", frames: 20, to: { turn: between(-90, 90) } },
      { name: "upright", frames: 24, to: { tilt: between(0, 15) } },
    ]),
    { name: "away", frames: 50, to: { size: 0.25, ...place() } },
    { name: "near", frames: 70, to: { size: 2, tilt: between(10, 30), axis: axis() } },
    { name: "back", frames: 40, to: { size: between(0.7, 1.1), tilt: 10, ...place() } },
    ...[0, 1].flatMap((): Chapter[] => [
      { name: "leave", frames: 20, to: away() },
      { name: "out", frames: 15, to: { ...away(), turn: between(-180, 180) } },
      { name: "return", frames: 20, to: { ...place(), tilt: between(0, 45), axis: axis(), size: between(0.5, 1.3) } },
      { name: "stay", frames: 15, to: {} },
    ]),
    { name: "covered", frames: 15, to: { cover: between(0.4, 0.48), size: 1, tilt: 20 } },
    { name: "moving covered", frames: 40, to: { ...place(), turn: between(-60, 60) } },
    { name: "uncovered", frames: 15, to: { cover: 0 } },
    ...[0, 1, 2].map(
      (): Chapter => ({ name: "blurred", frames: 14, to: { ...place(), turn: between(-60, 60) }, shutter: 0.5 }),
    ),
    { name: "darker", frames: 20, to: { gain: 0.45 } },
    { name: "moving in the dark", frames: 25, to: { ...place(), tilt: 35, axis: axis() } },
    { name: "brighter", frames: 30, to: { gain: 1.4, ...place(), tilt: 5 } },
    { name: "gone", frames: 20, to: { gain: 1 }, shown: false },
    { name: "there again", frames: 30, to: place() },
    { name: "fast", frames: 12, to: { x: width * 0.3 }, shutter: 0.3 },
    { name: "fast back", frames: 12, to: { x: width * 0.7, size: 0.6 }, shutter: 0.3 },
    { name: "last rest", frames: 20, to: {} },
  ];
  return { start, chapters: list };
}

/** One frame of a video: when it is taken, and whether the picture is there. */
export interface VideoFrame {
  chapter: string;
  shown: boolean;
  /** The moment in the middle of the exposure, and those at its ends. */
  moment: Moment;
  opens: Moment;
  closes: Moment;
}

/** Frames of a video, chapter by chapter. */
export function framesOf(start: Moment, list: readonly Chapter[]): VideoFrame[] {
  const frames: VideoFrame[] = [];
  let from = start;
  for (const { name, frames: count, to, shutter = 0, shown = true, even = false } of list) {
    const end = { ...from, ...to };
    const at = (time: number) => mixed(from, end, even ? time : ease(time));
    for (let k = 1; k <= count; k++) {
      const moment = (offset: number) => at(Math.min(1, Math.max(0, (k + offset) / count)));
      frames.push({
        chapter: name,
        shown,
        moment: moment(0),
        opens: moment(-shutter / 2),
        closes: moment(shutter / 2),
      });
    }
    from = end;
  }
  return frames;
}

const ease = (t: number): number => t * t * (3 - 2 * t);

function mixed(a: Moment, b: Moment, t: number): Moment {
  const mix = (name: keyof Moment) => a[name] + t * (b[name] - a[name]);
  return {
    x: mix("x"),
    y: mix("y"),
    // Sizes grow by factors.
    size: a.size * (b.size / a.size) ** t,
    turn: mix("turn"),
    tilt: mix("tilt"),
    axis: mix("axis"),
    cover: mix("cover"),
    gain: mix("gain"),
  };
}

/** Row-major 3×3 from pixels of the picture to those of the frame, as that camera sees it at that moment. */
export function momentHomography(
  { x, y, size, turn, tilt, axis }: Moment,
  [width, height]: readonly [number, number],
  frameWidth: number,
  { fx, fy, cx, cy }: Intrinsics,
): Float64Array {
  const degrees = Math.PI / 180;
  const [c, s] = [Math.cos(turn * degrees), Math.sin(turn * degrees)];
  const [ax, ay] = [Math.cos(axis * degrees), Math.sin(axis * degrees)];
  const [ct, st] = [Math.cos(tilt * degrees), Math.sin(tilt * degrees)];
  // Rotation about the axis (ax, ay, 0), then the turn: the first two columns.
  const r = [
    [ct + ax * ax * (1 - ct), ax * ay * (1 - ct)],
    [ax * ay * (1 - ct), ct + ay * ay * (1 - ct)],
    [-ay * st, ax * st],
  ];
  const columns = [0, 1].map((k) => [c * r[0][k] - s * r[1][k], s * r[0][k] + c * r[1][k], r[2][k]]);
  const depth = fx / (BASE * frameWidth * size);
  const middle = [((x - cx) / fx) * depth, ((y - cy) / fy) * depth, depth];
  // A picture 1 wide about its middle.
  const scale = 1 / width;
  const [mx, my] = [(width - 1) / 2, (height - 1) / 2];
  const rows = [0, 1, 2].map((k) => {
    const [px, py] = [columns[0][k] * scale, columns[1][k] * scale];
    return [px, py, middle[k] - px * mx - py * my];
  });
  return Float64Array.from([
    ...rows[0].map((value, k) => fx * value + cx * rows[2][k]),
    ...rows[1].map((value, k) => fy * value + cy * rows[2][k]),
    ...rows[2],
  ]);
}
