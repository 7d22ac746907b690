/** Detection: which cells of a score or descriptor map become candidates. Maps are row-major [height, width]. */

/** Candidates on a grid. */
export interface Candidates {
  /** Cell y·width + x of each candidate, ascending. */
  cells: Uint32Array;
  /** Channel in which it was found, where the map has several. */
  channels?: Uint16Array;
  scores: Float32Array;
}

/** Collects candidates without knowing their number. */
class Collector {
  private cells = new Uint32Array(1024);
  private scores = new Float32Array(1024);
  private channels = new Uint16Array(1024);
  private count = 0;

  push(cell: number, score: number, channel = 0): void {
    if (this.count === this.cells.length) {
      const grow = <T extends Uint32Array | Float32Array | Uint16Array>(old: T, next: T): T => {
        next.set(old);
        return next;
      };
      this.cells = grow(this.cells, new Uint32Array(2 * this.count));
      this.scores = grow(this.scores, new Float32Array(2 * this.count));
      this.channels = grow(this.channels, new Uint16Array(2 * this.count));
    }
    this.cells[this.count] = cell;
    this.scores[this.count] = score;
    this.channels[this.count++] = channel;
  }

  take(withChannels: boolean): Candidates {
    const cells = this.cells.slice(0, this.count);
    const scores = this.scores.slice(0, this.count);
    return withChannels ? { cells, scores, channels: this.channels.slice(0, this.count) } : { cells, scores };
  }
}

/** Every cell whose score is not 0 and reaches `threshold`. */
export function allCells(scores: Float32Array, threshold: number): Candidates {
  const found = new Collector();
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i];
    if (score !== 0 && score >= threshold) found.push(i, score);
  }
  return found.take(false);
}

/** Cells from left to right − 1 and from top to bottom − 1. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What a window is compared in: rows are `stride` apart, of which `width` × `height` count. */
export interface MapArea {
  width: number;
  height: number;
  /** Cells from one row to the next; default `width`. */
  stride?: number;
  /** Cells at the edge that are never candidates; they still count as neighbours. Default 0. */
  border?: number;
  /** Only cells in here are candidates; the others still count as neighbours. Default: all. */
  core?: Box;
}

/** Cells that can be candidates: those of the core away from the border. */
export function candidateBox({ width, height, border = 0, core }: MapArea): Box {
  return {
    left: Math.max(border, core?.left ?? 0),
    top: Math.max(border, core?.top ?? 0),
    right: Math.min(width - border, core?.right ?? width),
    bottom: Math.min(height - border, core?.bottom ?? height),
  };
}

/** Cells that are the maximum of their (2·radius + 1)² window (equal neighbours do not matter) and reach `threshold`. */
export function windowMaxima(scores: Float32Array, area: MapArea, radius: number, threshold: number): Candidates {
  const { width, height, stride = width } = area;
  const box = candidateBox(area);
  const found = new Collector();
  for (let y = box.top; y < box.bottom; y++) {
    const top = Math.max(y - radius, 0);
    const bottom = Math.min(y + radius, height - 1);
    for (let x = box.left; x < box.right; x++) {
      const score = scores[y * stride + x];
      if (score === 0 || !(score >= threshold)) continue;
      if (x > 0 && scores[y * stride + x - 1] > score) continue;
      if (x + 1 < width && scores[y * stride + x + 1] > score) continue;
      const left = Math.max(x - radius, 0);
      const right = Math.min(x + radius, width - 1);
      if (isMaximum(scores, score, left, right, top, bottom, stride)) found.push(y * width + x, score);
    }
  }
  return found.take(false);
}

function isMaximum(
  map: Float32Array,
  value: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
  stride: number,
): boolean {
  for (let y = top; y <= bottom; y++) {
    const row = y * stride;
    for (let x = left; x <= right; x++) if (map[row + x] > value) return false;
  }
  return true;
}

/** Edges have a ratio of principal curvatures above this (Lowe 2004; D2-Net). */
const EDGE_RATIO = 5;

/**
 * D2-Net's hard detection (Dusmet et al. 2019) on a descriptor map [channels, height, width]: a (channel, y, x) is kept
 * when it is the largest over channels there, the largest of its 3×3 window in its channel, and not an edge. Its score
 * is the map's value.
 */
export function hardDetection(map: Float32Array, channels: number, width: number, height: number): Candidates {
  const n = width * height;
  const best = new Float32Array(n).fill(Number.NEGATIVE_INFINITY);
  for (let c = 0; c < channels; c++) {
    for (let i = 0, p = c * n; i < n; i++, p++) if (map[p] > best[i]) best[i] = map[p];
  }
  const planes = Array.from({ length: channels }, (_, c) => map.subarray(c * n, (c + 1) * n));
  const limit = (EDGE_RATIO + 1) ** 2 / EDGE_RATIO;
  const found = new Collector();
  for (let y = 0; y < height; y++) {
    const top = Math.max(y - 1, 0);
    const bottom = Math.min(y + 1, height - 1);
    for (let x = 0; x < width; x++) {
      const cell = y * width + x;
      const left = Math.max(x - 1, 0);
      const right = Math.min(x + 1, width - 1);
      for (let c = 0; c < channels; c++) {
        const plane = planes[c];
        const value = plane[cell];
        if (value !== best[cell] || !isMaximum(plane, value, left, right, top, bottom, width)) continue;
        const [dii, djj, dij] = hessianAt(plane, x, y, width, height);
        const determinant = dii * djj - dij * dij;
        if (determinant > 0 && (dii + djj) ** 2 / determinant <= limit) found.push(cell, value, c);
      }
    }
  }
  return found.take(true);
}

const at = (map: Float32Array, x: number, y: number, width: number, height: number): number =>
  x < 0 || y < 0 || x >= width || y >= height ? 0 : map[y * width + x];

/** Second differences [down, across, mixed] with zeros outside the map. */
export function hessianAt(
  map: Float32Array,
  x: number,
  y: number,
  width: number,
  height: number,
): [dii: number, djj: number, dij: number] {
  const v = (dx: number, dy: number) => at(map, x + dx, y + dy, width, height);
  const centre = v(0, 0);
  const dij = 0.25 * (v(-1, -1) - v(1, -1) - v(-1, 1) + v(1, 1));
  return [v(0, -1) - 2 * centre + v(0, 1), v(-1, 0) - 2 * centre + v(1, 0), dij];
}

/** First differences [down, across], central, with zeros outside the map. */
export function gradientAt(map: Float32Array, x: number, y: number, width: number, height: number): [number, number] {
  const v = (dx: number, dy: number) => at(map, x + dx, y + dy, width, height);
  return [0.5 * (v(0, 1) - v(0, -1)), 0.5 * (v(1, 0) - v(-1, 0))];
}
