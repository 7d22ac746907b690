/** Where a picture lies on another, by its four corners: dragged, or moved with the arrow keys. */
import { useEffect, useRef, useState } from "preact/hooks";
import { estimateHomography } from "../../src/web/index.js";
import type { Photo } from "./photos.js";
import { warp } from "./track/laid.js";

/** x0, y0, …, x3, y3 in pixels of the picture below, clockwise from the top left of the one above. */
export type Corners = readonly number[];

const NAMES = ["top left", "top right", "bottom right", "bottom left"];
const KEYS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
/** Pixels of a step with the shift key. */
const FAR = 10;

/** Corners of the picture's own frame. */
export function frameCorners(width: number, height: number): number[] {
  return [-0.5, -0.5, width - 0.5, -0.5, width - 0.5, height - 0.5, -0.5, height - 0.5];
}

/** The picture a little inside of the one below: a start that can be seen whole. */
export function startCorners(width: number, height: number): number[] {
  return frameCorners(width, height).map((value, i) => {
    const size = i % 2 ? height : width;
    return Math.round((value + 0.5 - size / 2) * 0.7 + size / 2);
  });
}

/** The homography that takes the picture's frame to the corners; null where they span no plane. */
export async function cornersHomography({ image }: Photo, corners: Corners): Promise<Float64Array | null> {
  const from = Float32Array.from(frameCorners(image.width, image.height));
  const { matrix } = await estimateHomography(from, Float32Array.from(corners), { method: "dlt" });
  return matrix;
}

interface CornersProps {
  above: Photo;
  below: Photo;
  corners: Corners;
  onCorners(corners: Corners): void;
}

/** Share of the longer edge that is seen around everything: room for corners to be moved to. */
const ROOM = 0.06;

/** The part of the plane that is seen: both pictures as they lie when the editor opens. */
function viewOf(corners: Corners, width: number, height: number) {
  const all = [...corners, ...frameCorners(width, height)];
  const [xs, ys] = [0, 1].map((odd) => all.filter((_, i) => i % 2 === odd));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [across, down] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const room = ROOM * Math.max(across, down);
  return { left: left - room, top: top - room, width: across + 2 * room, height: down + 2 * room };
}

const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);

export function CornerEditor({ above, below, corners, onCorners }: CornersProps) {
  const box = useRef<HTMLDivElement>(null);
  const [lower, laid] = [useRef<HTMLImageElement>(null), useRef<HTMLImageElement>(null)];
  const [size, setSize] = useState(0);
  const [view] = useState(() => viewOf(corners, below.image.width, below.image.height));
  useEffect(() => {
    const element = box.current as HTMLElement;
    // Set by script: the content policy allows no style in the markup.
    element.style.aspectRatio = `${view.width / view.height}`;
    const watched = new ResizeObserver(() => setSize(element.clientWidth));
    watched.observe(element);
    return () => watched.disconnect();
  }, []);
  const scale = size / view.width;
  const lay = (element: HTMLImageElement | null, { image: { width, height } }: Photo, matrix: Float64Array): void => {
    if (!element) return;
    const own = [element.naturalWidth || width, element.naturalHeight || height];
    const shift = `translate(${-view.left * scale}px, ${-view.top * scale}px)`;
    element.style.transform = `${shift} ${warp(matrix, [width, height], own, scale)}`;
  };
  useEffect(() => {
    lay(lower.current, below, IDENTITY);
    let isCurrent = true;
    cornersHomography(above, corners).then((matrix) => {
      if (!isCurrent || !laid.current) return;
      laid.current.hidden = matrix === null;
      if (matrix) lay(laid.current, above, matrix);
    });
    return () => {
      isCurrent = false;
    };
  }, [above, below, corners, scale]);
  const move = (k: number, x: number, y: number): void => {
    const next = [...corners];
    next[2 * k] = Math.min(view.left + view.width, Math.max(view.left, x));
    next[2 * k + 1] = Math.min(view.top + view.height, Math.max(view.top, y));
    onCorners(next);
  };
  return (
    <div class="corners" ref={box}>
      <img class="laid" ref={lower} src={below.href} alt={`B: ${below.name}`} />
      <img class="laid ghost" ref={laid} src={above.href} alt="" />
      {NAMES.map((name, k) => (
        <Handle
          key={name}
          name={`A's ${name} corner`}
          place={[corners[2 * k], corners[2 * k + 1]]}
          screen={[(corners[2 * k] - view.left) * scale, (corners[2 * k + 1] - view.top) * scale]}
          scale={scale}
          onMove={(x, y) => move(k, x, y)}
        />
      ))}
    </div>
  );
}

interface HandleProps {
  name: string;
  place: readonly [number, number];
  /** The same in pixels of the editor. */
  screen: readonly [number, number];
  /** Pixels of the screen for one of the picture. */
  scale: number;
  onMove(x: number, y: number): void;
}

function Handle({ name, place: [x, y], screen: [left, top], scale, onMove }: HandleProps) {
  const element = useRef<HTMLButtonElement>(null);
  const grabbed = useRef<readonly [number, number] | null>(null);
  useEffect(() => {
    if (element.current) element.current.style.translate = `${left}px ${top}px`;
  }, [left, top]);
  return (
    <button
      ref={element}
      type="button"
      class="handle"
      aria-label={`${name} at ${Math.round(x)}, ${Math.round(y)}; arrow keys move it`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        grabbed.current = [x - event.clientX / scale, y - event.clientY / scale];
      }}
      onPointerMove={(event) => {
        const start = grabbed.current;
        if (start) onMove(start[0] + event.clientX / scale, start[1] + event.clientY / scale);
      }}
      onPointerUp={() => {
        grabbed.current = null;
      }}
      onPointerCancel={() => {
        grabbed.current = null;
      }}
      onKeyDown={(event) => {
        const step = KEYS[event.key];
        if (!step) return;
        event.preventDefault();
        const far = event.shiftKey ? FAR : 1;
        onMove(x + far * step[0], y + far * step[1]);
      }}
    />
  );
}
