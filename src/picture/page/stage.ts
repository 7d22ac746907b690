/**
 * First half of the page's script: the state, where things are on the stage, and how they are drawn. The page holds the text
 * of this function, so it must need nothing from outside itself; it never puts data into markup.
 *
 * Coordinates: a point of an image → a place in the world (image B's pixels in the overlay, an arrangement of both images
 * side by side) → the screen by the view's zoom and shift. Pixel centres lie on integers: pixel x covers x − ½ to x + ½.
 */

/** What the page is about, as JSON; coordinates that are not finite are null. */
export interface PageData {
  sizes: [number, number][];
  keypoints: number[][];
  /** 4 · level + quarter of the score's range, of each keypoint. */
  looks: number[][];
  pairs: number[];
  points: [number[], number[]];
  scores: number[];
  inlier: number[];
  errors: (number | null)[];
  matrix: number[] | null;
  outline: number[];
  maxLines: number;
}

/** A part of long work, for a progress bar. */
export type Stage = ReturnType<typeof openStage>;

/** `root`: where the elements are, the document or the shadow tree of an element. */
export function openStage(data: PageData, root: Document | ShadowRoot = document) {
  /** Elements of the page by their id; the page has every one that is asked for. */
  const $ = <E extends HTMLElement = HTMLInputElement>(id: string): E => root.getElementById(id) as unknown as E;
  const stage = $("stage");
  const canvas = $<HTMLCanvasElement>("canvas");
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const images = [$<HTMLImageElement>("image0"), $<HTMLImageElement>("image1")];
  const count = data.scores.length;
  /** The overlay can be chosen only where there is a homography. */
  const homography = data.matrix ?? [];
  const css = getComputedStyle(stage);
  const colour = (name: string): string => css.getPropertyValue(`--${name}`).trim();

  const state = { overlay: false, least: -1, hovered: -1, held: -1, mix: 0.5 };
  /** fitted: nobody has zoomed or moved since the last fit. */
  const view = { zoom: 1, x: 0, y: 0, fitted: true };
  /** Where the images lie in the world: shift and scale of each. */
  let places = [
    { x: 0, y: 0, scale: 1 },
    { x: 0, y: 0, scale: 1 },
  ];
  let world = [1, 1];

  /** Side by side or one above the other, whichever is larger on this stage; in the overlay both in the pixels of B. */
  function arrange(): void {
    const [[wa, ha], [wb, hb]] = data.sizes;
    if (state.overlay) {
      places = [
        { x: 0, y: 0, scale: 1 },
        { x: 0, y: 0, scale: 1 },
      ];
      world = [wb, hb];
      return;
    }
    const gap = 0.012 * Math.max(wa, ha);
    const beside = [wa + gap + (wb * ha) / hb, ha];
    const below = [wa, ha + gap + (hb * wa) / wb];
    const sideways = fitting(beside) >= fitting(below);
    world = sideways ? beside : below;
    const scale = sideways ? ha / hb : wa / wb;
    places = [
      { x: 0, y: 0, scale: 1 },
      { x: sideways ? wa + gap : 0, y: sideways ? 0 : ha + gap, scale },
    ];
  }

  function fitting([width, height]: readonly number[]): number {
    return Math.min(stage.clientWidth / width, stage.clientHeight / height);
  }

  function fitView(): void {
    arrange();
    view.zoom = fitting(world);
    view.x = (stage.clientWidth - world[0] * view.zoom) / 2;
    view.y = (stage.clientHeight - world[1] * view.zoom) / 2;
    view.fitted = true;
    redraw();
  }

  function move(dx: number, dy: number): void {
    view.x += dx;
    view.y += dy;
    view.fitted = false;
    redraw();
  }

  /** Zooms by a factor around a point of the screen. */
  function zoomAt(factor: number, x: number, y: number): void {
    const least = fitting(world) / 2;
    const zoom = Math.min(Math.max(view.zoom * factor, least), 40 * Math.max(1, least));
    view.x = x - ((x - view.x) * zoom) / view.zoom;
    view.y = y - ((y - view.y) * zoom) / view.zoom;
    view.zoom = zoom;
    view.fitted = false;
    redraw();
  }

  /** Screen position of pixel (x, y) of image k; the homography takes points of A to B in the overlay. */
  function toScreen(k: number, x: number, y: number): [number, number] {
    let [u, v] = [x, y];
    if (state.overlay && k === 0) {
      const h = homography;
      const w = h[6] * x + h[7] * y + h[8];
      if (w <= 0) return [NaN, NaN];
      [u, v] = [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
    }
    const { x: left, y: top, scale } = places[k];
    return [view.x + view.zoom * (left + (u + 0.5) * scale), view.y + view.zoom * (top + (v + 0.5) * scale)];
  }

  /** Both ends of match m on the screen: x, y of A, x, y of B. */
  function ends(m: number): [number, number, number, number] {
    const [a, b] = data.points;
    return [...toScreen(0, a[2 * m], a[2 * m + 1]), ...toScreen(1, b[2 * m], b[2 * m + 1])];
  }

  function isShown(m: number): boolean {
    return data.scores[m] >= state.least && $(data.inlier[m] ? "inliers" : "outliers").checked;
  }

  let waiting = 0;
  function redraw(): void {
    if (!waiting) waiting = requestAnimationFrame(draw);
  }

  function draw(): void {
    waiting = 0;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.lineCap = "round";
    if (state.overlay) drawOverlay();
    else drawImages();
    const active = state.hovered >= 0 ? state.hovered : state.held;
    const dim = active >= 0 ? 0.35 : 1;
    if ($("keypoints").checked) drawKeypoints(dim);
    drawLines(0, "outlier", 0.65 * dim);
    drawLines(1, "inlier", dim);
    if ($("outline").checked) drawOutline();
    if (active >= 0) drawActive(active);
  }

  function drawImages(): void {
    images.forEach((image, k) => {
      const { x, y, scale } = places[k];
      const zoom = view.zoom * scale;
      context.imageSmoothingEnabled = zoom < 4;
      context.drawImage(
        image,
        view.x + view.zoom * x,
        view.y + view.zoom * y,
        data.sizes[k][0] * zoom,
        data.sizes[k][1] * zoom,
      );
    });
  }

  /** The images themselves: B shifted and scaled, A by the homography in front of it. */
  function drawOverlay(): void {
    const { zoom, x, y } = view;
    images[1].style.transform = `matrix(${[zoom, 0, 0, zoom, x, y]})`;
    // View · shift(½) · H · shift(−½), as the edge of an image lies half a pixel before its first centre.
    const h = homography;
    const [h2, h5, h8] = [0, 3, 6].map((r) => h[r + 2] - (h[r] + h[r + 1]) / 2);
    const across = (g: number, w: number): number => zoom * (g + w / 2) + x * w;
    const down = (g: number, w: number): number => zoom * (g + w / 2) + y * w;
    const columns = [
      [across(h[0], h[6]), down(h[3], h[6]), 0, h[6]],
      [across(h[1], h[7]), down(h[4], h[7]), 0, h[7]],
      [0, 0, 1, 0],
      [across(h2, h8), down(h5, h8), 0, h8],
    ];
    images[0].style.transform = `matrix3d(${columns.flat()})`;
    images[0].style.opacity = String(state.mix);
  }

  /** From the weakest keypoints to the best; and how large those of each level are, in pixels. */
  const STRENGTHS = ["#cc79a7", "#e3b3cd", "#f2dce8", colour("keypoint")];
  const SIZES = [2.2, 3.2, 4.4];

  function drawKeypoints(alpha: number): void {
    for (const casing of [true, false]) {
      for (let look = 0; look < STRENGTHS.length * SIZES.length; look++) {
        context.beginPath();
        data.keypoints.forEach((points, k) => {
          for (let i = 0; i < points.length; i += 2) {
            if (data.looks[k][i / 2] !== look) continue;
            const [x, y] = toScreen(k, points[i], points[i + 1]);
            if (x < -9 || y < -9 || x > stage.clientWidth + 9 || y > stage.clientHeight + 9) continue;
            context.moveTo(x, y);
            context.lineTo(x, y);
          }
        });
        const size = SIZES[look >> 2];
        if (casing) pen(colour("casing"), size + 1.8, 0.6 * alpha);
        else pen(STRENGTHS[look & 3], size, alpha);
      }
    }
  }

  /** Half the edge of a patch in pixels of its image, and the edge and place of each on their canvas. */
  const REACH = 20;
  const EDGE = 112;

  /** What lies around both ends of a match, upright, each with its keypoint in the middle; none: nothing is drawn. */
  function drawPatches(m: number): void {
    const patches = $<HTMLCanvasElement>("patches");
    const drawing = patches.getContext("2d") as CanvasRenderingContext2D;
    drawing.clearRect(0, 0, patches.width, patches.height);
    if (m < 0) return;
    images.forEach((image, k) => {
      const [width, height] = data.sizes[k];
      const [sx, sy] = [image.naturalWidth / width, image.naturalHeight / height];
      const left = k * (patches.width - EDGE);
      const [x, y] = [data.points[k][2 * m] + 0.5, data.points[k][2 * m + 1] + 0.5];
      drawing.save();
      drawing.beginPath();
      drawing.rect(left, 0, EDGE, EDGE);
      drawing.clip();
      drawing.imageSmoothingEnabled = false;
      const [w, h] = [2 * REACH * sx, 2 * REACH * sy];
      if (image.naturalWidth > 0)
        drawing.drawImage(image, (x - REACH) * sx, (y - REACH) * sy, w, h, left, 0, EDGE, EDGE);
      for (const [style, line] of [
        [colour("casing"), 4],
        [colour(data.inlier[m] ? "inlier" : "outlier"), 2],
      ] as const) {
        drawing.beginPath();
        drawing.arc(left + EDGE / 2, EDGE / 2, 9, 0, 7);
        drawing.strokeStyle = style;
        drawing.lineWidth = line;
        drawing.stroke();
      }
      drawing.restore();
    });
  }

  /** Lines in one path: what overlaps within a path is slow to stroke. Measured: 4 are twice as fast as 32. */
  const BATCH = 4;
  /** Above this many lines they are drawn without dashes and casings, which take five times as long as the lines. */
  const MANY = 1000;

  function drawLines(inlier: number, style: string, alpha: number): void {
    const chosen: number[] = [];
    for (let m = 0; m < count; m++) if (data.inlier[m] === inlier && isShown(m)) chosen.push(m);
    const many = chosen.length > MANY;
    context.setLineDash(inlier || many ? [] : [6, 5]);
    const casing: [string, number, number] = ["casing", 2.6, inlier ? 0.4 : 0.25];
    const line: [string, number, number] = [style, inlier ? 1.4 : 1.2, 1];
    for (const [name, width, share] of many ? [line] : [casing, line]) {
      for (let start = 0; start < chosen.length; start += BATCH) {
        context.beginPath();
        for (const m of chosen.slice(start, start + BATCH)) {
          const [xa, ya, xb, yb] = ends(m);
          context.moveTo(xa, ya);
          context.lineTo(xb, yb);
        }
        pen(colour(name), width, share * alpha);
      }
    }
    context.setLineDash([]);
  }

  /** The frame of A where the homography puts it in B. */
  function drawOutline(): void {
    if (data.outline.length === 0) return;
    context.save();
    const [left, top] = toScreen(1, -0.5, -0.5);
    const zoom = view.zoom * places[1].scale;
    context.beginPath();
    if (!state.overlay) context.rect(left, top, data.sizes[1][0] * zoom, data.sizes[1][1] * zoom);
    else context.rect(0, 0, stage.clientWidth, stage.clientHeight);
    context.clip();
    context.beginPath();
    for (let i = 0; i < data.outline.length; i += 2)
      context.lineTo(...toScreen(1, data.outline[i], data.outline[i + 1]));
    context.closePath();
    pen(colour("casing"), 4.5, 0.5);
    pen(colour("outline"), 2.5, 1);
    context.restore();
  }

  function drawActive(m: number): void {
    const [xa, ya, xb, yb] = ends(m);
    context.beginPath();
    context.moveTo(xa, ya);
    context.lineTo(xb, yb);
    for (const [x, y] of [
      [xa, ya],
      [xb, yb],
    ]) {
      context.moveTo(x + 8, y);
      context.arc(x, y, 8, 0, 7);
    }
    pen(colour("casing"), 6, 0.8);
    pen(colour("keypoint"), 4, 1);
    pen(colour(data.inlier[m] ? "inlier" : "outlier"), 2.2, 1);
  }

  function pen(style: string, width: number, alpha: number): void {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.globalAlpha = alpha;
    context.stroke();
    context.globalAlpha = 1;
  }

  return {
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
  };
}
