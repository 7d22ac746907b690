/**
 * Second half of the page's script: pointers, keys and controls, and what is told about a match. Like the first half it is
 * put into the page as text, and needs nothing but what it is given.
 */
import type { Stage } from "./stage.js";

export function openControls({
  data,
  root,
  $,
  stage,
  images,
  count,
  state,
  view,
  fitView,
  move,
  zoomAt,
  ends,
  isShown,
  redraw,
  drawPatches,
}: Stage) {
  function tell(): void {
    let shown = 0;
    for (let m = 0; m < count; m++) if (isShown(m)) shown++;
    $("shown").textContent = `${shown} shown`;
    $("leastValue").textContent = count ? state.least.toFixed(3) : "–";
    const m = state.hovered >= 0 ? state.hovered : state.held;
    drawPatches(m);
    if (m < 0) {
      $("detail").textContent = count
        ? "Point at a match, or step through them with the arrow keys."
        : "There are no matches.";
      return;
    }
    const at = (k: 0 | 1): string => `(${data.points[k][2 * m].toFixed(1)}, ${data.points[k][2 * m + 1].toFixed(1)})`;
    const distance = data.errors[m];
    const error = distance == null ? "" : `, ${distance.toFixed(2)} px from where the homography puts it`;
    const role = data.inlier[m] ? "inlier" : data.matrix ? "outlier" : "not verified";
    $("detail").textContent =
      `Match ${m + 1} of ${count} by similarity: ${data.scores[m].toFixed(3)}, ${role}. ` +
      `Keypoint ${data.pairs[2 * m]} of A at ${at(0)} → ${data.pairs[2 * m + 1]} of B at ${at(1)}${error}.`;
  }

  function changed(): void {
    if (state.held >= 0 && !isShown(state.held)) state.held = -1;
    if (state.hovered >= 0 && !isShown(state.hovered)) state.hovered = -1;
    tell();
    redraw();
  }

  /** The shown match nearest to a point of the screen, at most 8 px away (ends count for more than lines), or −1. */
  function matchAt(x: number, y: number): number {
    let best = -1;
    let least = 8;
    for (let m = 0; m < count; m++) {
      if (!isShown(m)) continue;
      const [xa, ya, xb, yb] = ends(m);
      const [dx, dy] = [xb - xa, yb - ya];
      const t = Math.min(1, Math.max(0, ((x - xa) * dx + (y - ya) * dy) / (dx * dx + dy * dy || 1)));
      const line = Math.hypot(x - xa - t * dx, y - ya - t * dy);
      const end = Math.min(Math.hypot(x - xa, y - ya), Math.hypot(x - xb, y - yb)) - 3;
      const distance = Math.min(line, Math.max(0, end));
      if (distance < least) [least, best] = [distance, m];
    }
    return best;
  }

  function hover(m: number): void {
    if (m === state.hovered) return;
    state.hovered = m;
    tell();
    redraw();
  }

  /** Holds the next (or the one before) of the shown matches, and moves it into sight. */
  function step(by: number): void {
    let m = state.held;
    for (let tries = 0; tries < count; tries++) {
      m = m < 0 ? (by > 0 ? 0 : count - 1) : (m + by + count) % count;
      if (!isShown(m)) continue;
      state.held = m;
      state.hovered = -1;
      const [xa, ya, xb, yb] = ends(m);
      const inside = (x: number, y: number): boolean =>
        x > 0 && y > 0 && x < stage.clientWidth && y < stage.clientHeight;
      if (!inside(xa, ya) && !inside(xb, yb)) {
        move(stage.clientWidth / 2 - xb, stage.clientHeight / 2 - yb);
      }
      break;
    }
    changed();
  }

  const pointers = new Map<number, [number, number]>();
  let moved = 0;

  function position(event: MouseEvent): [number, number] {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, position(event));
    if (pointers.size === 1) moved = 0;
    stage.classList.add("dragging");
  });

  stage.addEventListener("pointermove", (event) => {
    const [x, y] = position(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      hover(matchAt(x, y));
      return;
    }
    const [dx, dy] = [x - before[0], y - before[1]];
    moved += Math.hypot(dx, dy);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      // Two fingers: the distance between them zooms around their middle, which moves the view.
      const [p] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const factor = Math.hypot(x - p[0], y - p[1]) / (Math.hypot(before[0] - p[0], before[1] - p[1]) || 1);
      move(dx / 2, dy / 2);
      zoomAt(factor, (x + p[0]) / 2, (y + p[1]) / 2);
    } else if (moved > 4) {
      move(dx, dy);
    }
  });

  function release(event: PointerEvent): void {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size === 0) stage.classList.remove("dragging");
    if (event.type === "pointerup" && moved <= 4) {
      const m = matchAt(...position(event));
      state.held = m === state.held ? -1 : m;
      changed();
    }
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => hover(-1));
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoomAt(Math.exp(-0.0016 * lines * event.deltaY), ...position(event));
    },
    { passive: false },
  );

  const middle = (): [number, number] => [stage.clientWidth / 2, stage.clientHeight / 2];
  const keys: Record<string, () => void> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    "+": () => zoomAt(1.25, ...middle()),
    "=": () => zoomAt(1.25, ...middle()),
    "-": () => zoomAt(0.8, ...middle()),
    "0": fitView,
    Escape: () => {
      state.held = -1;
      changed();
    },
  };
  const shifts: Record<string, [number, number]> = {
    ArrowLeft: [60, 0],
    ArrowRight: [-60, 0],
    ArrowUp: [0, 60],
    ArrowDown: [0, -60],
  };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shift = event.shiftKey && shifts[event.key];
    if (shift) move(...shift);
    else if (Object.hasOwn(keys, event.key)) keys[event.key]();
    else return;
    event.preventDefault();
  });

  $("in").addEventListener("click", () => zoomAt(1.25, ...middle()));
  $("out").addEventListener("click", () => zoomAt(0.8, ...middle()));
  $("fit").addEventListener("click", fitView);
  for (const id of ["inliers", "outliers", "keypoints", "outline"]) $(id).addEventListener("change", changed);
  $("outline").disabled = data.outline.length === 0;

  // Matches come sorted by similarity; the page opens with as many as maxLines says.
  const slider = $("least");
  const [lowest, highest] = count ? [data.scores[count - 1], data.scores[0]] : [0, 1];
  slider.min = String(lowest);
  slider.max = String(highest);
  slider.step = "any";
  slider.disabled = count === 0;
  slider.value = count > data.maxLines ? String(data.scores[data.maxLines - 1]) : slider.min;
  state.least = Number(slider.value);
  slider.addEventListener("input", () => {
    state.least = Number(slider.value);
    changed();
  });

  for (const radio of root.querySelectorAll<HTMLInputElement>('input[name="view"]')) {
    radio.addEventListener("change", () => {
      state.overlay = radio.value === "overlay";
      stage.classList.toggle("overlay", state.overlay);
      $("mixing").hidden = !state.overlay;
      blink(false);
      fitView();
    });
  }

  let blinking: ReturnType<typeof setInterval> | undefined;
  /** Shows A and B in turn, a little slower than a second for both. */
  function blink(on: boolean): void {
    clearInterval(blinking);
    blinking = undefined;
    $("blink").setAttribute("aria-pressed", String(on));
    const mix = (value: number): void => {
      state.mix = value;
      redraw();
    };
    if (on) {
      mix(1);
      blinking = setInterval(() => mix(state.mix === 1 ? 0 : 1), 600);
    } else mix(Number($("mix").value));
  }
  $("blink").addEventListener("click", () => blink(!blinking));
  $("mix").addEventListener("input", () => blink(false));

  new ResizeObserver(() => (view.fitted ? fitView() : redraw())).observe(stage);
  // An image that cannot be decoded leaves its place empty; everything else still works.
  Promise.allSettled(images.map((image) => image.decode())).then(() => {
    tell();
    fitView();
    (root === document ? document.documentElement : stage).dataset.ready = "true";
  });
}
