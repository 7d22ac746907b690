/** A picture or a video laid on each target that is seen: an element of the page, warped by the target's homography. */
import type { Target, TrackedTarget } from "../../../src/track/index.js";

/** What is laid on. */
export interface Overlay {
  href: string;
  kind: "picture" | "video";
}

type Laid = HTMLImageElement | HTMLVideoElement;

export class LaidPictures {
  private elements: Laid[] = [];

  constructor(
    private readonly layer: HTMLElement,
    private readonly overlay: Overlay,
  ) {}

  /** `scale`: pixels of the screen for one of the frame. */
  place(targets: readonly Target[], seen: readonly TrackedTarget[], scale: number): void {
    for (const { target, homography } of seen) {
      this.elements[target] ??= this.add();
      const element = this.elements[target];
      const [width, height] = sizeOf(element);
      element.hidden = !homography || width === 0;
      if (homography && width > 0)
        element.style.transform = warp(homography, targets[target].size, [width, height], scale);
    }
    for (const element of this.elements.slice(seen.length)) element.hidden = true;
  }

  dispose(): void {
    for (const element of this.elements) {
      if (element instanceof HTMLVideoElement) element.pause();
      element.remove();
    }
    this.elements = [];
  }

  private add(): Laid {
    const { href, kind } = this.overlay;
    const element =
      kind === "picture"
        ? Object.assign(new Image(), { alt: "" })
        : Object.assign(document.createElement("video"), {
            muted: true,
            loop: true,
            playsInline: true,
            autoplay: true,
          });
    element.className = "laid";
    element.hidden = true;
    element.src = href;
    this.layer.append(element);
    return element;
  }
}

function sizeOf(element: Laid): [number, number] {
  return element instanceof HTMLImageElement
    ? [element.naturalWidth, element.naturalHeight]
    : [element.videoWidth, element.videoHeight];
}

/**
 * The CSS transform of an element of `own` pixels that covers the target: its pixels to the target's, to the frame's, to the
 * screen's. Pixel centres lie on integers, edges of elements half a pixel before the first.
 */
export function warp(h: Float64Array, size: readonly number[], own: readonly number[], scale: number): string {
  const [sx, sy] = [size[0] / own[0], size[1] / own[1]];
  const row = (r: number): number[] => [h[3 * r] * sx, h[3 * r + 1] * sy, h[3 * r + 2] - (h[3 * r] + h[3 * r + 1]) / 2];
  const w = row(2);
  const shifted = (r: number): number[] => row(r).map((value, i) => scale * (value + w[i] / 2));
  const [x, y] = [shifted(0), shifted(1)];
  return `matrix3d(${[x[0], y[0], 0, w[0], x[1], y[1], 0, w[1], 0, 0, 1, 0, x[2], y[2], 0, w[2]]})`;
}
