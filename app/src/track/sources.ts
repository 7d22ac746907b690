/** Where frames come from: the camera, a video file, or a drawn clip of the sample picture. */
import { type Camera, type CameraFrame, camera } from "../../../src/web/index.js";

/** One after the other, as `camera` gives them. */
export interface FrameSource {
  /** What shows the newest frame. */
  readonly picture: HTMLVideoElement | HTMLCanvasElement;
  readonly size: readonly [width: number, height: number];
  /** Calls back for each new frame; while the call's promise is pending, frames are let pass. */
  frames(onFrame: (time: number) => Promise<void>, onError: (error: unknown) => void): void;
  stop(): void;
  /** Settles when it ends: null after stop(), else why. */
  readonly ended: Promise<Error | null>;
}

export async function cameraSource(signal: AbortSignal): Promise<FrameSource> {
  return ofCamera(await camera({ signal }));
}

function ofCamera(opened: Camera): FrameSource {
  return {
    picture: opened.video,
    get size() {
      return [opened.width, opened.height] as const;
    },
    frames: (onFrame, onError) => void opened.frames(({ time }: CameraFrame) => onFrame(time), onError),
    stop: () => opened.stop(),
    ended: opened.ended,
  };
}

/** A video file, again and again. */
export async function videoSource(file: Blob, name: string, signal: AbortSignal): Promise<FrameSource> {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, loop: true });
  video.src = URL.createObjectURL(file);
  try {
    await video.play();
    signal.throwIfAborted();
    if (video.videoWidth === 0) throw new Error("it has no picture");
  } catch (error) {
    URL.revokeObjectURL(video.src);
    signal.throwIfAborted();
    throw new Error(
      `${name}: this browser cannot play it as a video (${(error as Error).message}); ` +
        "MP4 with H.264 and WebM are played nearly everywhere",
    );
  }
  return looped(
    video,
    () => [video.videoWidth, video.videoHeight],
    (then) => {
      if (!("requestVideoFrameCallback" in video)) return void requestAnimationFrame(then);
      video.requestVideoFrameCallback(then);
    },
    () => {
      video.pause();
      URL.revokeObjectURL(video.src);
      video.removeAttribute("src");
    },
  );
}

/** Columns in which the clip's perspective is drawn, and how long it takes, in milliseconds. */
const COLUMN = 2;
/** Columns overlap by so much: between smooth edges the wall would shine through. */
const SEAM = 0.8;
const PERIOD = 12_000;

/** A picture that turns, tilts, comes near and leaves again, in front of a plain wall. */
export function drawnSource(picture: ImageBitmap): FrameSource {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const { width, height } = canvas;
  const draw = (time: number): void => {
    const turn = (2 * Math.PI * (time % PERIOD)) / PERIOD;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const wall = context.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, "#8a8f8c");
    wall.addColorStop(1, "#5b6168");
    context.fillStyle = wall;
    context.fillRect(0, 0, width, height);
    context.translate(width / 2 + 60 * Math.sin(turn), height / 2 + 30 * Math.sin(2 * turn));
    context.rotate(0.2 * Math.sin(turn));
    drawTurned(context, picture, 0.75 * Math.sin(turn + 1), 300 + 60 * Math.cos(turn));
  };
  draw(0);
  let open = true;
  return looped(
    canvas,
    () => [width, height],
    (then) =>
      requestAnimationFrame((time) => {
        // The last frame may be asked for already when it is stopped.
        if (!open) return;
        draw(time);
        then(time);
      }),
    () => {
      open = false;
      picture.close();
    },
  );
}

/** The picture turned about its upright axis by `yaw`, `across` pixels wide where it faces the viewer: column by column. */
function drawTurned(context: CanvasRenderingContext2D, picture: ImageBitmap, yaw: number, across: number): void {
  const distance = 2.2;
  const down = (across * picture.height) / picture.width;
  const depth = (u: number): number => 1 + (u * Math.sin(yaw)) / distance;
  const place = (u: number): number => (across * u * Math.cos(yaw)) / depth(u);
  for (let x = Math.ceil(place(-0.5)); x < place(0.5); x += COLUMN) {
    // The column of the picture that is seen at x.
    const source = (at: number): number => at / (across * Math.cos(yaw) - (at * Math.sin(yaw)) / distance);
    const [u, next] = [source(x), Math.min(0.5, source(x + COLUMN))];
    const tall = down / depth(u);
    const left = (u + 0.5) * picture.width;
    const wide = Math.max(0.01, (next - u) * picture.width);
    context.drawImage(picture, left, 0, wide, picture.height, x, -tall / 2, COLUMN + SEAM, tall);
  }
}

/** A source over whatever tells of new frames. */
function looped(
  picture: FrameSource["picture"],
  size: () => [number, number],
  next: (then: (time: number) => void) => void,
  close: () => void,
): FrameSource {
  let going = true;
  let end: (reason: Error | null) => void = () => {};
  const ended = new Promise<Error | null>((resolve) => {
    end = resolve;
  });
  const stop = (): void => {
    if (!going) return;
    going = false;
    close();
    end(null);
  };
  return {
    picture,
    get size() {
      return size();
    },
    frames(onFrame, onError) {
      const step = (): void =>
        next((time) => {
          if (!going) return;
          onFrame(time).then(step, (error) => going && onError(error));
        });
      step();
    },
    stop,
    ended,
  };
}
