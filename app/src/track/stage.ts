/** What is seen of tracking: the frame that was processed, so that what lies on it never lags behind, and what lies on it. */
import type { Target, TrackedFrame, TrackedTarget, Tracker } from "../../../src/track/index.js";
import type { Boxes } from "./boxes.js";
import { LaidPictures, type Overlay } from "./laid.js";
import type { FrameSource } from "./sources.js";

export const SHOWS = ["outline", "picture", "video", "box"] as const;
export type Show = (typeof SHOWS)[number];

/** Bright on photographs, and told apart by all: Okabe and Ito. */
const COLOURS = ["#56b4e9", "#f0e442", "#e69f00", "#cc79a7", "#009e73"];

export class Stage {
  private readonly screen = document.createElement("div");
  private readonly canvas = document.createElement("canvas");
  /** The frame that was taken last. */
  private readonly kept = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
  private readonly resized: ResizeObserver;
  private show: Show = "outline";
  private laid: LaidPictures | null = null;
  private boxes: Boxes | null = null;

  /** `onLost`: the graphics processor is gone, and what was drawn on it. */
  constructor(
    private readonly container: HTMLElement,
    private readonly onLost: () => void,
  ) {
    this.screen.className = "screen";
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "What is followed");
    this.screen.append(this.canvas);
    container.append(this.screen);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(container);
  }

  /** Keeps a frame, as the tracker sees it too. */
  take({ picture, size: [width, height] }: FrameSource): HTMLCanvasElement {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      Object.assign(this.canvas, { width, height });
      this.fit();
    }
    if (this.kept.width !== width || this.kept.height !== height) Object.assign(this.kept, { width, height });
    this.kept.getContext("2d")?.drawImage(picture, 0, 0, width, height);
    return this.kept;
  }
  /** Shows the frame that was taken, with what the tracker saw in it; `size` is that of the tracker's frame. */
  draw(tracker: Tracker | null, frame: TrackedFrame | null, size: readonly [number, number]): void {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.kept, 0, 0);
    const seen = frame?.targets ?? [];
    const scale = canvas.width / size[0];
    context.setTransform(scale, 0, 0, scale, 0, 0);
    if (this.show === "outline") for (const target of seen) this.outline(target, 1 / scale);
    const onScreen = this.screen.clientWidth / size[0];
    this.laid?.place((tracker?.targets ?? []) as Target[], seen, onScreen);
    if (tracker) this.boxes?.draw(tracker, seen, size);
  }

  /** What lies on targets from now on. */
  async lay(show: Show, overlay: Overlay | null): Promise<void> {
    this.show = show;
    this.laid?.dispose();
    this.boxes?.dispose();
    [this.laid, this.boxes] = [null, null];
    if (overlay && (show === "picture" || show === "video")) this.laid = new LaidPictures(this.screen, overlay);
    if (show !== "box") return;
    const { Boxes: Loaded } = await import("./boxes.js");
    if (this.show !== "box" || this.boxes) return;
    const boxes = new Loaded();
    this.boxes = boxes;
    boxes.canvas.addEventListener("webglcontextlost", () => this.boxes === boxes && this.onLost());
    boxes.canvas.className = "boxes";
    this.screen.append(boxes.canvas);
  }

  /** Nothing is shown any more. */
  clear(): void {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.laid?.place([], [], 1);
    if (this.boxes) this.boxes.canvas.getContext("webgl2")?.clear(WebGL2RenderingContext.COLOR_BUFFER_BIT);
  }

  dispose(): void {
    this.resized.disconnect();
    this.laid?.dispose();
    this.boxes?.dispose();
    this.screen.remove();
  }

  /** As large as the container has room for. */
  private fit(): void {
    const { width, height } = this.canvas;
    const scale = Math.min(this.container.clientWidth / width, this.container.clientHeight / height);
    Object.assign(this.screen.style, { width: `${width * scale}px`, height: `${height * scale}px` });
  }

  private outline({ corners, name, predicted, target }: TrackedTarget, pixel: number): void {
    if (!corners) return;
    const { context } = this;
    context.beginPath();
    for (let i = 0; i < 8; i += 2) context.lineTo(corners[i] + 0.5, corners[i + 1] + 0.5);
    context.closePath();
    context.lineJoin = "round";
    context.setLineDash(predicted ? [8, 6] : []);
    for (const [style, width] of [
      ["#000a", 6],
      [COLOURS[target % COLOURS.length], 3],
    ] as const) {
      Object.assign(context, { strokeStyle: style, lineWidth: width * pixel });
      context.stroke();
    }
    context.setLineDash([]);
    context.font = `600 ${15 * pixel}px system-ui, sans-serif`;
    const [x, y] = [corners[0] + 2, corners[1] - 8 * pixel];
    Object.assign(context, { strokeStyle: "#000c", lineWidth: 4 * pixel, fillStyle: "#fff" });
    context.strokeText(name, x, y);
    context.fillText(name, x, y);
  }
}
