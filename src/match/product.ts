/**
 * Similarities of a tile of descriptors with all descriptors of the other image: one matrix product, A·Bᵀ. It runs on
 * an ONNX runtime (a model of a single Gemm whose sizes are symbolic, so that one session serves every size) or, where
 * there is none, in a blocked loop over typed arrays. Gemm transposes B itself while it packs it: no transposed copy.
 */
import { StateError } from "../errors.js";
import { defaultRuntime, type Runtime, type Session } from "../graph/session.js";

/** Compares tiles of A with a fixed B. */
export interface Product<Rows extends Float32Array | Uint8Array = Float32Array> {
  /**
   * Row-major rows × columns similarities of `a` (row-major rows × dim). The array may be reused by the next call.
   */
  multiply(a: Rows, rows: number): Promise<Float32Array>;
}

/**
 * The product with `b` (row-major columns × dim) on `runtime`, on so many threads (default: the runtime's choice), or in
 * plain JavaScript when `runtime` is null.
 */
export async function openProduct(
  runtime: Runtime | null,
  b: Float32Array,
  columns: number,
  dim: number,
  threads?: number,
): Promise<Product> {
  if (runtime === null) return scriptProduct(b, columns, dim);
  const session = await productSession(runtime, threads);
  const bTensor = { type: "float32", shape: [columns, dim], data: b } as const;
  return {
    async multiply(a, rows) {
      const { s } = await session.run({ a: { type: "float32", shape: [rows, dim], data: a }, b: bTensor });
      if (!(s?.data instanceof Float32Array) || s.data.length !== rows * columns) {
        throw new StateError(`${runtime.name}: the product of ${rows}×${dim} and ${columns}×${dim} has a wrong shape`);
      }
      return s.data;
    },
  };
}

/** The runtime that a door has set, or null where none is. */
export function runtimeIfSet(): Runtime | null {
  try {
    return defaultRuntime();
  } catch (error) {
    if (error instanceof StateError) return null;
    throw error;
  }
}

/** Sessions by runtime and threads, each opened at its first use. */
const sessions = new Map<Runtime, Map<number | undefined, Promise<Session>>>();

function productSession(runtime: Runtime, threads: number | undefined): Promise<Session> {
  const own = sessions.get(runtime) ?? new Map<number | undefined, Promise<Session>>();
  sessions.set(runtime, own);
  let session = own.get(threads);
  if (!session) {
    session = runtime.open(productModel(), { threads });
    own.set(threads, session);
    // A runtime that failed to open may do so later (the caller gets the error either way).
    session.catch(() => own.delete(threads));
  }
  return session;
}

/** Frees the native memory of every session that matching has opened; the next match opens a new one. */
export async function disposeMatching(): Promise<void> {
  const open = [...sessions.values()].flatMap((own) => [...own.values()]);
  sessions.clear();
  for (const session of await Promise.allSettled(open)) {
    if (session.status === "fulfilled") await session.value.dispose();
  }
}

/**
 * s [rows, columns] = a [rows, dim] · b [columns, dim]ᵀ, one Gemm, as an ONNX file: to load what writes such files takes
 * longer than to match. A test holds it to what OnnxBuilder writes.
 */
export const PRODUCT_MODEL =
  "CAoSD3N0cmF0YS1mZWF0dXJlczquAQorCgFhCgFiEgZHZW1tXzAaBkdlbW1fMCIER2VtbSoNCgZ0cmFuc0IYAaABAgoYCgZHZW1tXzASAXMaAXMi" +
  "CElkZW50aXR5EgpzaW1pbGFyaXR5WhoKAWESFQoTCAESDwoGEgRyb3dzCgUSA2RpbVodCgFiEhgKFggBEhIKCRIHY29sdW1ucwoFEgNkaW1iHgoB" +
  "cxIZChcIARITCgYSBHJvd3MKCRIHY29sdW1uc0IECgAQFA==";

const productModel = (): Uint8Array => Uint8Array.from(atob(PRODUCT_MODEL), (letter) => letter.charCodeAt(0));

/** Columns of B that are worked on at once: 256 × 64 floats stay in a core's second-level cache. */
const BLOCK = 256;

function scriptProduct(b: Float32Array, columns: number, dim: number): Product {
  let s = new Float32Array(0);
  return {
    async multiply(a, rows) {
      if (s.length < rows * columns) s = new Float32Array(rows * columns);
      for (let start = 0; start < columns; start += BLOCK) {
        const end = Math.min(start + BLOCK, columns);
        for (let i = 0; i < rows; i++) {
          let j = start;
          for (; j + 4 <= end; j += 4) dot4(a, i * dim, b, j * dim, dim, s, i * columns + j);
          for (; j < end; j++) s[i * columns + j] = dot(a, i * dim, b, j * dim, dim);
        }
      }
      return s.subarray(0, rows * columns);
    },
  };
}

/** Four dot products of one row with four consecutive ones; the row is read once. */
function dot4(
  a: Float32Array,
  ai: number,
  b: Float32Array,
  bi: number,
  dim: number,
  out: Float32Array,
  oi: number,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const b1 = bi + dim;
  const b2 = b1 + dim;
  const b3 = b2 + dim;
  for (let k = 0; k < dim; k++) {
    const x = a[ai + k];
    s0 += x * b[bi + k];
    s1 += x * b[b1 + k];
    s2 += x * b[b2 + k];
    s3 += x * b[b3 + k];
  }
  out[oi] = s0;
  out[oi + 1] = s1;
  out[oi + 2] = s2;
  out[oi + 3] = s3;
}

function dot(a: Float32Array, ai: number, b: Float32Array, bi: number, dim: number): number {
  let sum = 0;
  for (let k = 0; k < dim; k++) sum += a[ai + k] * b[bi + k];
  return sum;
}
