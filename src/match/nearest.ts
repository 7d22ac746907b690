/**
 * The nearest neighbours of both sides, gathered while tiles of similarities pass by: each tile is read once and
 * dropped, so the whole similarity matrix never exists. Ties go to the lower index; NaN is nobody's neighbour.
 */

export interface Nearest {
  /** For each row the column of its largest similarity; -1 where there is none. */
  rowIndex: Int32Array;
  /** That similarity; -Infinity where there is none. */
  rowBest: Float32Array;
  /** The second largest similarity of each row; -Infinity where there is none. */
  rowSecond: Float32Array;
  /** For each column the row of its largest similarity; -1 where there is none. */
  columnIndex: Int32Array;
  /** That similarity; -Infinity where there is none. */
  columnBest: Float32Array;
}

/** Neighbours of `rows` × `columns` before anything has been seen. */
export function emptyNearest(rows: number, columns: number): Nearest {
  return {
    rowIndex: new Int32Array(rows).fill(-1),
    rowBest: new Float32Array(rows).fill(-Infinity),
    rowSecond: new Float32Array(rows).fill(-Infinity),
    columnIndex: new Int32Array(columns).fill(-1),
    columnBest: new Float32Array(columns).fill(-Infinity),
  };
}

/**
 * Takes in `tile`, the similarities of rows firstRow, firstRow + 1, … with every column. Tiles must come in the order
 * of their rows, each once. Comparisons that fail are the common case, which keeps the loop at about 2 ns a value.
 */
export function scanTile(nearest: Nearest, tile: Float32Array, firstRow: number, rows: number): void {
  const { rowIndex, rowBest, rowSecond, columnIndex, columnBest } = nearest;
  const columns = columnBest.length;
  for (let r = 0; r < rows; r++) {
    const row = firstRow + r;
    const offset = r * columns;
    let best = -Infinity;
    let second = -Infinity;
    let index = -1;
    for (let j = 0; j < columns; j++) {
      const value = tile[offset + j];
      if (value > second) {
        if (value > best) {
          second = best;
          best = value;
          index = j;
        } else {
          second = value;
        }
      }
      if (value > columnBest[j]) {
        columnBest[j] = value;
        columnIndex[j] = row;
      }
    }
    rowIndex[row] = index;
    rowBest[row] = best;
    rowSecond[row] = second;
  }
}
