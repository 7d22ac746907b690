/**
 * A three.js scene over a camera's picture, with a group for each target that lies on it while it is seen. The words are
 * MindAR's, so that its pages keep theirs; the work is the tracker's.
 */
import { Group, Matrix4, PerspectiveCamera, Scene, Vector2, WebGLRenderer } from "three";
import { checkList, wrong } from "../../check.js";
import { OptionError, StateError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { checkNumber } from "../../options.js";
import {
  createTracker,
  projectionMatrix,
  TRACK_MODEL,
  type TrackedTarget,
  type Tracker,
  type TrackerOptions,
} from "../../track/index.js";
import { type Camera, type CameraOptions, camera } from "../camera.js";
import { openExtractor } from "../extractor.js";
import { frameReader } from "../frames.js";
import { openTargets, type TargetSource } from "./targets.js";

export type { ImageSource } from "../images.js";

/** What an ImageTracker shows, tracks and asks for. */
export interface ImageTrackerOptions
  extends Pick<
    TrackerOptions,
    "maxTrack" | "warmupTolerance" | "missTolerance" | "filterMinCF" | "filterBeta" | "intrinsics" | "detection"
  > {
  /** The element that the video and the scene fill. */
  container: HTMLElement;
  /** What to track: compiled targets, their bytes or addresses, or pictures. */
  targets: TargetSource | readonly TargetSource[];
  /** Model of the features; that of compiled targets. Default "strata-t" (TRACK_MODEL). */
  model?: Parameters<typeof openExtractor>[0]["model"];
  /** An extractor that is open already, in place of `model`; it stays open. */
  extractor?: Extractor;
  /** Which camera, and how large its frames are; see camera(). */
  camera?: Omit<CameraOptions, "signal">;
  /** The renderer; default: one of its own, with a transparent background, in the container. */
  renderer?: WebGLRenderer;
  /** Nearest and farthest distance that is drawn, in target widths. Default 0.01 and 1000. */
  near?: number;
  far?: number;
}

/** What stands on a target. */
export interface Anchor {
  /** Lies in the target's middle, x to the right, y up, z towards the viewer; the target is 1 wide. Seen only when it is. */
  readonly group: Group;
  readonly targetIndex: number;
  /** Whether the target is seen. */
  readonly visible: boolean;
  onTargetFound: (() => void) | null;
  onTargetLost: (() => void) | null;
  /** Called with every frame in which the target is seen. */
  onTargetUpdate: ((target: TrackedTarget) => void) | null;
}

class TargetAnchor implements Anchor {
  readonly group = new Group();
  visible = false;
  onTargetFound: (() => void) | null = null;
  onTargetLost: (() => void) | null = null;
  onTargetUpdate: ((target: TrackedTarget) => void) | null = null;
  constructor(readonly targetIndex: number) {
    this.group.visible = false;
    this.group.matrixAutoUpdate = false;
  }
}

/** Tracks flat pictures in a camera's frames and keeps a three.js scene on them. */
export class ImageTracker {
  readonly scene = new Scene();
  readonly camera = new PerspectiveCamera();
  readonly renderer: WebGLRenderer;
  /** Called when a target comes into sight, or goes out of it; beside the anchors' own. */
  onTargetFound: ((targetIndex: number) => void) | null = null;
  onTargetLost: ((targetIndex: number) => void) | null = null;
  /** Called when tracking ends by itself: the camera is pulled out, a frame fails. Default: console.error. */
  onError: (error: unknown) => void = (error) => console.error(error);
  private readonly anchors: TargetAnchor[] = [];
  private readonly settings: ImageTrackerOptions;
  private readonly sources: readonly TargetSource[];
  private extractor: Extractor | null = null;
  private tracker: Tracker | null = null;
  private opened: Camera | null = null;
  private starting: AbortController | null = null;

  constructor(options: ImageTrackerOptions) {
    const where = "ImageTracker";
    const { container, targets, near = 0.01, far = 1000 } = options;
    if (!(container instanceof HTMLElement)) throw wrong(where, '"container"', "an element of the page", container);
    this.sources = Array.isArray(targets)
      ? (checkList(where, '"targets"', targets) as TargetSource[])
      : [targets as TargetSource];
    if (this.sources.length === 0 || this.sources.some((source) => source === undefined || source === null))
      throw new OptionError(`${where}: "targets" must name at least one picture or target`);
    checkNumber(where, "near", near, { min: Number.MIN_VALUE });
    checkNumber(where, "far", far, { min: near });
    this.settings = { ...options, near, far };
    this.renderer = options.renderer ?? new WebGLRenderer({ antialias: true, alpha: true });
    this.scene.matrixWorldAutoUpdate = true;
    this.camera.matrixAutoUpdate = false;
  }

  /** The group of a target, by its place among `targets`. Each call gives another one. */
  addAnchor(targetIndex: number): Anchor {
    const most = this.sources.length - 1;
    checkNumber("addAnchor", "targetIndex", targetIndex, { min: 0, max: most, integer: true });
    const anchor = new TargetAnchor(targetIndex);
    this.anchors.push(anchor);
    this.scene.add(anchor.group);
    return anchor;
  }

  /** The camera's frames as they are now; before start() there are none. */
  get video(): HTMLVideoElement | null {
    return this.opened?.video ?? null;
  }

  /**
   * Opens camera, model and targets, and tracks from then on. Throws what `camera`, `openExtractor`, `compileTarget` and
   * `createTracker` throw, and leaves nothing open.
   */
  async start(): Promise<void> {
    if (this.starting) throw new StateError("ImageTracker: it is started already; call stop() first");
    const starting = new AbortController();
    this.starting = starting;
    try {
      await this.open(starting.signal);
    } catch (error) {
      if (this.starting === starting) this.stop();
      throw error;
    }
  }

  /** Stops tracking, and lets the camera go. start() begins anew. */
  stop(): void {
    this.starting?.abort(new StateError("ImageTracker: it was stopped while it started"));
    this.starting = null;
    const { opened } = this;
    this.opened = null;
    opened?.stop();
    if (opened?.video.parentElement === this.settings.container) opened.video.remove();
    this.tracker = null;
    for (const anchor of this.anchors) this.show(anchor, null);
  }

  /** Stops, and frees the model and the renderer; what the caller brought stays. */
  async dispose(): Promise<void> {
    this.stop();
    const { extractor } = this;
    this.extractor = null;
    if (extractor && extractor !== this.settings.extractor) await extractor.dispose();
    if (this.settings.renderer) return;
    this.renderer.setAnimationLoop(null);
    this.renderer.dispose();
    this.renderer.domElement.remove();
  }

  private async open(signal: AbortSignal): Promise<void> {
    const { settings } = this;
    const { maxTrack, warmupTolerance, missTolerance, filterMinCF, filterBeta, intrinsics } = settings;
    // The person is asked for the camera first: what follows takes longer than patience does.
    const opened = await camera({ ...settings.camera, signal });
    this.opened = opened;
    this.extractor ??= settings.extractor ?? (await openExtractor({ model: settings.model ?? TRACK_MODEL, signal }));
    const { extractor } = this;
    const targets = await openTargets(this.sources, extractor);
    signal.throwIfAborted();
    const given = { maxTrack, warmupTolerance, missTolerance, filterMinCF, filterBeta, intrinsics };
    const tracker = createTracker({
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      targets,
      extractor,
      detection: settings.detection ?? "background",
    });
    this.tracker = tracker;
    this.layOut(opened);
    const reader = frameReader();
    opened.frames(
      async ({ video, time }) => {
        const frame = reader.read(video);
        const { targets: seen } = await tracker.process(frame, { time });
        if (this.tracker !== tracker) return;
        this.look(tracker, frame.width, frame.height);
        this.place(tracker, seen);
      },
      (error) => this.failed(error),
    );
    void opened.ended.then((reason) => reason && this.failed(reason));
  }

  private failed(error: unknown): void {
    this.stop();
    this.onError(error);
  }

  /** Video and scene over each other, both filling the container as one picture. */
  private layOut({ video }: Camera): void {
    const { container } = this.settings;
    const { domElement } = this.renderer;
    if (getComputedStyle(container).position === "static") container.style.position = "relative";
    container.style.overflow = "hidden";
    for (const element of [video, domElement]) {
      Object.assign(element.style, {
        ...{ position: "absolute", top: "0", left: "0", width: "100%", height: "100%", objectFit: "cover" },
      });
      if (element.parentElement !== container) container.append(element);
    }
    // The video lies behind whatever the caller has put there.
    container.prepend(video);
  }

  /** The camera that drew the frame: its projection, and a drawing buffer of its shape. */
  private look(tracker: Tracker, width: number, height: number): void {
    const { near = 0.01, far = 1000 } = this.settings;
    if (!tracker.camera) return;
    this.camera.projectionMatrix.fromArray(projectionMatrix(width, height, near, far, tracker.camera));
    this.camera.projectionMatrixInverse.copy(this.camera.projectionMatrix).invert();
    const { clientWidth, clientHeight } = this.settings.container;
    const scale = Math.max(clientWidth / width, clientHeight / height) || 1;
    const size = this.renderer.getSize(new Vector2());
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (size.x !== w || size.y !== h) this.renderer.setSize(w, h, false);
  }

  private place(tracker: Tracker, seen: readonly TrackedTarget[]): void {
    for (const anchor of this.anchors) {
      const target = seen[anchor.targetIndex];
      this.show(anchor, target.pose ? target : null, tracker.targets[anchor.targetIndex].physicalWidth);
    }
  }

  private show(anchor: TargetAnchor, target: TrackedTarget | null, physicalWidth = 1): void {
    const { group, visible } = anchor;
    anchor.visible = target !== null;
    group.visible = anchor.visible;
    if (target?.pose) {
      // Poses are in the target's own unit; in a scene it is 1 wide, as in MindAR.
      const pose = new Matrix4().fromArray(target.pose);
      const { elements } = pose;
      for (let i = 12; i < 15; i++) elements[i] /= physicalWidth;
      group.matrix.copy(pose);
      group.matrixWorldNeedsUpdate = true;
      anchor.onTargetUpdate?.(target);
    }
    if (anchor.visible === visible) return;
    if (anchor.visible) anchor.onTargetFound?.();
    else anchor.onTargetLost?.();
    const tell = anchor.visible ? this.onTargetFound : this.onTargetLost;
    tell?.(anchor.targetIndex);
  }
}
