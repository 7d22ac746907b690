/**
 * Symbolic views: `broadcast`, `transpose` and size-1 `reshape` are carried as (source tensor, axis map) until an
 * operation needs the data. A matmul's gradient arrives as dot(transpose(broadcast(x)), transpose(y)); materialised,
 * its [B,N,N,64] tensor would cost most of a training step.
 */

/** A tensor that exists in the graph. */
export interface Operand {
  name: string;
  shape: readonly number[];
}

/**
 * `axes[i]` is the source axis that feeds logical axis i, or null where the value is repeated along it. Every source
 * axis longer than 1 feeds exactly one logical axis of the same length; source axes of length 1 may be unused.
 */
export interface View {
  source: Operand;
  shape: readonly number[];
  axes: readonly (number | null)[];
}

export const identityView = (source: Operand): View => ({
  source,
  shape: source.shape,
  axes: source.shape.map((_, i) => i),
});

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function transposeView(view: View, perm: readonly number[]): View {
  return { source: view.source, shape: perm.map((i) => view.shape[i]), axes: perm.map((i) => view.axes[i]) };
}

/** jax-js's broadcast: `axis` are the new axes' places in `shape`; an old axis of length 1 may be stretched. */
export function broadcastView(view: View, shape: readonly number[], axis: readonly number[]): View {
  const added = new Set(axis.map((a) => (a < 0 ? a + shape.length : a)));
  let next = 0;
  const axes = shape.map((size, i) => {
    if (added.has(i)) return null;
    const old = next++;
    return view.shape[old] === size ? view.axes[old] : null;
  });
  return { source: view.source, shape, axes };
}

/** NumPy's broadcasting to `shape`: axes are aligned at the end. */
export function alignView(view: View, shape: readonly number[]): View {
  const missing = shape.length - view.shape.length;
  const axes = shape.map((size, i) => {
    const old = i - missing;
    return old >= 0 && view.shape[old] === size ? view.axes[old] : null;
  });
  return { source: view.source, shape, axes };
}

/** The view with another shape, when the two differ only in axes of length 1; null otherwise. */
export function squeezeReshape(view: View, shape: readonly number[]): View | null {
  const axes: (number | null)[] = [];
  let old = 0;
  for (const size of shape) {
    while (old < view.shape.length && view.shape[old] !== size && view.shape[old] === 1) old++;
    if (old < view.shape.length && view.shape[old] === size) axes.push(view.axes[old++]);
    else if (size === 1) axes.push(null);
    else return null;
  }
  while (old < view.shape.length) if (view.shape[old++] !== 1) return null;
  return { source: view.source, shape, axes };
}

/** What has to be done to the source so that its axes become `order` (logical axes, each with a source axis or null). */
export interface Layout {
  /** Source axes of length 1 that no wanted axis uses. */
  squeeze: number[];
  /** Permutation of what is left, or null where it is already in order. */
  transpose: number[] | null;
  /** Places, in the result, of new axes of length 1. */
  unsqueeze: number[];
}

/** The steps that bring a view's source into the order of its logical axes, repeated axes as length 1. */
export function layoutOf(view: View): Layout {
  const axes = adoptUnused(view);
  const used = axes.filter((a): a is number => a !== null);
  const squeeze = view.source.shape.map((_, i) => i).filter((i) => !used.includes(i));
  const rank = new Map([...used].sort((a, b) => a - b).map((a, i) => [a, i]));
  const perm = used.map((a) => rank.get(a)!);
  return {
    squeeze,
    transpose: perm.every((p, i) => p === i) ? null : perm,
    unsqueeze: axes.flatMap((a, i) => (a === null ? [i] : [])),
  };
}

/** Lets an unused source axis of length 1 stand for a repeated axis in the right place: one squeeze and unsqueeze less. */
function adoptUnused(view: View): (number | null)[] {
  const axes = [...view.axes];
  const used = new Set(axes.filter((a) => a !== null));
  let before = -1;
  for (let i = 0; i < axes.length; i++) {
    const own = axes[i];
    if (own !== null) {
      before = own;
      continue;
    }
    const candidate = before + 1;
    if (candidate < view.source.shape.length && view.source.shape[candidate] === 1 && !used.has(candidate)) {
      axes[i] = candidate;
      used.add(candidate);
      before = candidate;
    }
  }
  return axes;
}
