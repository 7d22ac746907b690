/**
 * Names that jax-js's types take from the newest libraries of TypeScript. Whoever compiles against strata with older ones
 * (and without skipLibCheck) would get an error from a file that is not theirs; where the libraries have them, these add
 * nothing.
 */
declare global {
  interface Float16Array<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
    readonly [Symbol.toStringTag]: "Float16Array";
    readonly buffer: TArrayBuffer;
  }
  interface GPUDevice {
    label: string;
  }
  interface GPUBuffer {
    label: string;
  }
}

/** Makes this file part of the types of whatever names it. */
export type JaxGlobals = never;
