/** Frames of videos, in and out, by the program ffmpeg where it is installed. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { FormatError, IoError, LimitError, UnsupportedError } from "../../errors.js";
import type { Image } from "../../image/image.js";

/** Most pixels of a frame. */
const PIXEL_LIMIT = 50_000_000;
/** What ffmpeg says last is kept to explain its failure. */
const KEPT_WORDS = 4000;

interface Running {
  child: ChildProcess;
  /** Ends with ffmpeg; its last words on failure. */
  ended: Promise<void>;
  said(): string;
}

function start(
  where: string,
  args: readonly string[],
  { stdin = "ignore", stdout = "ignore" }: { stdin?: "ignore" | "pipe"; stdout?: "ignore" | "pipe" },
): Running {
  const child = spawn("ffmpeg", ["-hide_banner", "-nostdin", ...args], { stdio: [stdin, stdout, "pipe"] });
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-KEPT_WORDS);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === "ENOENT"
          ? new UnsupportedError(
              `${where}: a video needs the program ffmpeg, which is not installed (apt install ffmpeg, brew install ffmpeg); ` +
                "a folder of images works without it",
              { cause },
            )
          : new IoError(`${where}: ffmpeg cannot be started: ${cause.message}`, { cause }),
      );
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new FormatError(
            `${where}: ffmpeg failed (${signal ?? `exit code ${code}`}): ${lastLine(words).replaceAll("file:", "")}`,
          ),
        );
    });
  });
  ended.catch(() => {});
  return { child, ended, said: () => words };
}

const lastLine = (words: string): string => words.trim().split("\n").pop()?.trim() || "it says nothing";

/** A path that ffmpeg takes for a file, whatever its name looks like. */
const fileOf = (path: string): string => `file:${path}`;

/** Frames a second of a video, in the mean; null where ffmpeg finds none in it. */
export async function videoRate(path: string): Promise<number | null> {
  // Without an output ffmpeg describes the input, and fails.
  const { ended, said } = start(path, ["-i", fileOf(path)], {});
  await ended.catch((error: unknown) => {
    if (!(error instanceof FormatError)) throw error;
  });
  const found = /Stream #.*Video:.*?([\d.]+)(k?) fps/.exec(said());
  const rate = found ? Number(found[1]) * (found[2] ? 1000 : 1) : 0;
  return rate > 0 ? rate : null;
}

/** Each frame that is there once: how ffmpeg is told so, since 5.1 and before. */
const FRAME_MODES = [
  ["-fps_mode", "passthrough"],
  ["-vsync", "passthrough"],
] as const;

/** Frames of a video in order, turned as it says. */
export async function* videoFrames(path: string): AsyncGenerator<Image> {
  for (const [k, mode] of FRAME_MODES.entries()) {
    const args = ["-loglevel", "error", "-i", fileOf(path), "-an", "-sn", ...mode];
    const output = ["-f", "image2pipe", "-vcodec", "ppm", "-pix_fmt", "rgb24", "-"];
    const { child, ended, said } = start(path, [...args, ...output], { stdout: "pipe" });
    let frames = 0;
    try {
      for await (const image of ppmFrames(path, child.stdout as Readable)) {
        frames++;
        yield image;
      }
      await ended;
      if (frames === 0) throw new FormatError(`${path}: ffmpeg finds no frames in it`);
      return;
    } catch (error) {
      if (k === FRAME_MODES.length - 1 || frames > 0 || !said().includes(mode[0].slice(1))) throw error;
    } finally {
      child.kill("SIGKILL");
    }
  }
}

/** PPM images one after the other, as ffmpeg writes them. */
async function* ppmFrames(where: string, stream: Readable): AsyncGenerator<Image> {
  let buffered: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let wanted = 0;
  let size: [number, number] | null = null;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    parts.push(chunk);
    if (parts.reduce((sum, part) => sum + part.length, 0) + buffered.length < wanted) continue;
    buffered = Buffer.concat([buffered, ...parts]);
    parts = [];
    for (;;) {
      if (!size) {
        const header = /^P6\s(\d+)\s(\d+)\s255\s/.exec(buffered.subarray(0, 64).toString("latin1"));
        if (!header) {
          if (buffered.length >= 64)
            throw new FormatError(`${where}: ffmpeg's output is no image; is it another program?`);
          break;
        }
        size = [Number(header[1]), Number(header[2])];
        if (size[0] * size[1] > PIXEL_LIMIT)
          throw new LimitError(`${where}: frames of ${size.join("×")} pixels are too large`);
        buffered = buffered.subarray(header[0].length);
      }
      const length = 3 * size[0] * size[1];
      wanted = length;
      if (buffered.length < length) break;
      yield { width: size[0], height: size[1], data: new Uint8Array(buffered.subarray(0, length)) };
      buffered = buffered.subarray(length);
      size = null;
      wanted = 0;
    }
  }
  // What is left is of a frame that ffmpeg did not end; what it says comes with its end.
}

/** A video that frames are written into, one after the other; all of one size. */
export interface VideoWriter {
  write(image: Image): Promise<void>;
  /** Ends the video; a file that is not whole is the caller's to remove. */
  close(): Promise<void>;
  /** Ends ffmpeg, without a result. */
  abort(): void;
}

export function openVideoWriter(
  path: string,
  target: string,
  [width, height]: readonly [number, number],
  rate: number,
): VideoWriter {
  const even = "pad=ceil(iw/2)*2:ceil(ih/2)*2";
  const raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${width}x${height}`, "-r", `${rate}`, "-i", "-"];
  const { child, ended } = start(
    target,
    ["-loglevel", "error", "-y", ...raw, "-vf", even, "-pix_fmt", "yuv420p", fileOf(path)],
    { stdin: "pipe" },
  );
  const input = child.stdin as NodeJS.WritableStream;
  // Its end tells more than a broken pipe does.
  input.on("error", () => {});
  return {
    async write(image) {
      if (image.width !== width || image.height !== height) {
        throw new FormatError(
          `${target}: frames of a video have one size; got ${image.width}×${image.height} after ${width}×${height}. Write into a folder instead`,
        );
      }
      if (input.write(image.data)) return;
      await Promise.race([new Promise((resolve) => input.once("drain", resolve)), ended]);
    },
    async close() {
      input.end();
      await ended;
    },
    abort() {
      child.kill("SIGKILL");
    },
  };
}
