/**
 * A camera in a page: opened with plain errors, its frames at the pace at which they arrive, turned as the device is held,
 * paused while the page is hidden, and let go at the end.
 */
import { checkFlag, checkFunction, checkObject, wrong } from "../check.js";
import { IoError, OptionError, StateError, type StrataError, UnsupportedError } from "../errors.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";

export const FACINGS = ["environment", "user"] as const;

/** Which camera, and how large its frames should be. */
export interface CameraOptions {
  /** "environment" looks away from the person, "user" at them; where there is one camera, it is taken. Default "environment". */
  facing?: (typeof FACINGS)[number];
  /** The camera of this id (MediaDeviceInfo.deviceId) and no other. */
  deviceId?: string;
  /** Wanted width and height of the frames, in pixels; the nearest that the camera has is taken. Default 640 × 480. */
  width?: number;
  height?: number;
  /** Wanted frames in a second. Default: the camera's choice. */
  frameRate?: number;
  /** The element that plays the camera, e.g. one that is shown; default: one that is not in the page. */
  video?: HTMLVideoElement;
  /** Stop calling for frames while the page is hidden, and take them up again afterwards. Default true. */
  pauseHidden?: boolean;
  /** Stops the camera, also while it is being opened. */
  signal?: AbortSignal;
}

/** A frame that has just arrived. */
export interface CameraFrame {
  /** What loadImage, extract and canvases take; it shows the newest frame, so read it before waiting for anything. */
  video: HTMLVideoElement;
  /** Of the frame as it is shown: where the device is turned, they change places. */
  width: number;
  height: number;
  /** Milliseconds of performance.now() at which it was presented. */
  time: number;
  /** Whether its size is another than that of the frame before. */
  resized: boolean;
}

/** A camera that runs. */
export interface Camera {
  readonly video: HTMLVideoElement;
  readonly stream: MediaStream;
  /** Of the frames as they are shown. */
  readonly width: number;
  readonly height: number;
  /** Whether it is open and not waiting for the page to be shown. */
  readonly running: boolean;
  /**
   * Calls back for each new frame; while the call's promise is pending, frames are let pass. Gives a function that ends it.
   * What `onFrame` throws goes to `onError` and ends it as well; without one it is an unhandled rejection.
   */
  frames(onFrame: (frame: CameraFrame) => unknown, onError?: (error: unknown) => void): () => void;
  /** The next frame. */
  next(): Promise<CameraFrame>;
  /** Lets the camera go: its light goes out. A second call does nothing. */
  stop(): void;
  /** Settles when the camera ends: null after stop(), else why: it was pulled out, or taken back. */
  readonly ended: Promise<StrataError | null>;
}

const DEFAULTS = { facing: "environment", width: 640, height: 480, pauseHidden: true } as const;

/** Names that browsers give to what may go wrong, and what to say of each. */
const SAID: Readonly<Record<string, (message: string) => StrataError>> = {
  NotFoundError: () => new IoError("camera: there is no camera; plug one in, or take a device that has one"),
  NotAllowedError: (message) =>
    /dismissed/i.test(message)
      ? new UnsupportedError("camera: the question for permission was dismissed; ask again, best after a click")
      : new UnsupportedError(
          "camera: permission was refused; allow the camera for this page in the browser's settings (behind the lock beside " +
            'the address) and in the system\'s, and in a frame with allow="camera"',
        ),
  NotReadableError: () =>
    new IoError("camera: it is in use by another program or page, or does not start; close what uses it and try again"),
  OverconstrainedError: () =>
    new OptionError(
      "camera: no camera fits; leave out deviceId or frameRate, or take others (enumerateDevices lists cameras)",
    ),
};

const ALIASES: Readonly<Record<string, string>> = {
  DevicesNotFoundError: "NotFoundError",
  PermissionDeniedError: "NotAllowedError",
  SecurityError: "NotAllowedError",
  TrackStartError: "NotReadableError",
  AbortError: "NotReadableError",
};

/**
 * Opens a camera and waits for its first frame. Throws an IoError where there is none or it is in use, an UnsupportedError
 * where permission is refused or the page is not secure, an OptionError where no camera fits.
 */
export async function camera(options: CameraOptions = {}): Promise<Camera> {
  const { facing, width, height, pauseHidden, deviceId, frameRate, video, signal } = checkOptions(options);
  signal?.throwIfAborted();
  const devices = globalThis.navigator?.mediaDevices;
  if (!devices?.getUserMedia) {
    throw new UnsupportedError(
      globalThis.isSecureContext === false
        ? "camera: this page is not secure, and browsers give cameras to secure pages only; serve it by https, or from localhost"
        : "camera: this browser gives pages no cameras (navigator.mediaDevices)",
    );
  }
  const wanted: MediaTrackConstraints = {
    ...(deviceId === undefined ? { facingMode: { ideal: facing } } : { deviceId: { exact: deviceId } }),
    width: { ideal: width },
    height: { ideal: height },
    ...(frameRate !== undefined && { frameRate: { ideal: frameRate } }),
  };
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({ video: wanted, audio: false });
  } catch (error) {
    throw asCameraError(error);
  }
  const opened = new OpenCamera(stream, video ?? document.createElement("video"), pauseHidden);
  try {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => opened.stop(), { once: true });
    await opened.play();
    signal?.throwIfAborted();
    return opened;
  } catch (error) {
    opened.stop();
    throw error;
  }
}

function checkOptions(options: CameraOptions) {
  const where = "camera";
  checkObject(where, "options", options);
  const { deviceId, frameRate, video, signal, ...plain } = options;
  const given = withDefaults<Required<Pick<CameraOptions, "facing" | "width" | "height" | "pauseHidden">>>(
    where,
    DEFAULTS,
    plain,
  );
  checkChoice(where, "facing", given.facing, FACINGS);
  for (const edge of ["width", "height"] as const) checkNumber(where, edge, given[edge], { min: 1, integer: true });
  checkFlag(where, '"pauseHidden"', given.pauseHidden);
  if (deviceId !== undefined && (typeof deviceId !== "string" || deviceId === ""))
    throw wrong(where, '"deviceId"', "the id of a camera", deviceId);
  if (frameRate !== undefined) checkNumber(where, "frameRate", frameRate, { min: 1 });
  if (video !== undefined && !(typeof HTMLVideoElement !== "undefined" && video instanceof HTMLVideoElement))
    throw wrong(where, '"video"', "a video element", video);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrong(where, '"signal"', "an AbortSignal", signal);
  return { ...given, deviceId, frameRate, video, signal };
}

function asCameraError(error: unknown): unknown {
  const { name, message } = error as Error;
  const said = SAID[ALIASES[name] ?? name];
  if (said) return Object.assign(said(message), { cause: error });
  return new IoError(`camera: it cannot be opened: ${message || name}`, { cause: error });
}

class OpenCamera implements Camera {
  readonly ended: Promise<StrataError | null>;
  private end!: (reason: StrataError | null) => void;
  private isOpen = true;
  /** Calls that wait for a frame; each ends a wait with the reason why there is none. */
  private readonly waiting = new Set<(reason: StrataError) => void>();
  private size = [0, 0];

  constructor(
    readonly stream: MediaStream,
    readonly video: HTMLVideoElement,
    private readonly pauseHidden: boolean,
  ) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    document.addEventListener("visibilitychange", this.wake);
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () =>
        this.close(new IoError("camera: it is gone: it was pulled out, or taken back by the browser or the system")),
      );
    }
  }

  get width(): number {
    return this.video.videoWidth;
  }

  get height(): number {
    return this.video.videoHeight;
  }

  get running(): boolean {
    return this.isOpen && !(this.pauseHidden && document.hidden);
  }

  /** Some browsers leave a video paused that was hidden. */
  private readonly wake = (): void => {
    if (!document.hidden && this.video.paused) void this.video.play().catch(() => undefined);
  };

  /** Plays the stream as pages may without a click: silent, and in its place. */
  async play(): Promise<void> {
    const { video } = this;
    Object.assign(video, { muted: true, playsInline: true, autoplay: true, srcObject: this.stream });
    await video.play().catch((error) => {
      throw new IoError(`camera: its picture cannot be played: ${(error as Error).message}`, { cause: error });
    });
    await this.next();
  }

  next(): Promise<CameraFrame> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(stopped());
        return;
      }
      const cancel = this.whenFrame((time) => {
        this.waiting.delete(give);
        resolve(this.frameAt(time));
      });
      const give = (reason: StrataError) => {
        cancel();
        reject(reason);
      };
      this.waiting.add(give);
    });
  }

  frames(onFrame: (frame: CameraFrame) => unknown, onError?: (error: unknown) => void): () => void {
    checkFunction("camera.frames", "onFrame", onFrame);
    if (onError !== undefined) checkFunction("camera.frames", "onError", onError);
    if (!this.isOpen) throw stopped();
    let going = true;
    const loop = async () => {
      try {
        while (going && this.isOpen) {
          const frame = await this.next();
          if (going) await onFrame(frame);
        }
      } catch (error) {
        const wasGoing = going;
        going = false;
        // The camera's own end is told by `ended`.
        if (!wasGoing || !this.isOpen) return;
        if (!onError) throw error;
        onError(error);
      }
    };
    void loop();
    return () => {
      going = false;
    };
  }

  stop(): void {
    this.close(null);
  }

  private close(reason: StrataError | null): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    document.removeEventListener("visibilitychange", this.wake);
    for (const track of this.stream.getTracks()) track.stop();
    if (this.video.srcObject === this.stream) this.video.srcObject = null;
    for (const give of [...this.waiting]) give(reason ?? stopped());
    this.waiting.clear();
    this.end(reason);
  }

  private frameAt(time: number): CameraFrame {
    const { video, width, height } = this;
    const resized = this.size[0] !== 0 && (this.size[0] !== width || this.size[1] !== height);
    this.size = [width, height];
    return { video, width, height, time, resized };
  }

  /** Calls back once with the next frame that has pixels, when the page is shown. Gives what cancels it. */
  private whenFrame(then: (time: number) => void): () => void {
    const { video } = this;
    let cancel = () => {};
    const arrived = (time: number) => {
      if (this.running && this.width > 0) then(time);
      else wait();
    };
    const wait = () => {
      if (!this.running) cancel = onShown(wait);
      else if ("requestVideoFrameCallback" in video) {
        const handle = video.requestVideoFrameCallback((now) => arrived(now));
        cancel = () => video.cancelVideoFrameCallback(handle);
      } else cancel = onNewTime(video, arrived);
    };
    wait();
    return () => cancel();
  }
}

const stopped = () => new StateError("camera: it was stopped; open it again with camera()");

/** Calls once the page is shown again. */
function onShown(then: () => void): () => void {
  const look = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", look);
    then();
  };
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}

/** Where browsers do not tell of frames: the display's pace, with the frames that were there before left out. */
function onNewTime(video: HTMLVideoElement, then: (time: number) => void): () => void {
  const before = video.currentTime;
  let handle = requestAnimationFrame(function look(now) {
    if (video.currentTime !== before && video.readyState >= 2) then(now);
    else handle = requestAnimationFrame(look);
  });
  return () => cancelAnimationFrame(handle);
}
