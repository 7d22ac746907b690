/**
 * Tensors of a file, whatever made it: PyTorch (.pth, .pt, .ckpt), safetensors, ONNX, or a TensorFlow checkpoint given by
 * its folder, its index or its prefix. The kind is told by the content, never by the name.
 */

import { FormatError } from "../errors.js";
import type { NdArray } from "../formats/ndarray.js";
import { readSafetensors } from "../formats/safetensors.js";
import { type PlainValue, readTorchCheckpoint } from "../formats/torch.js";
import { readFileChecked } from "./atomic.js";

export interface TensorFile {
  format: "torch" | "tensorflow" | "safetensors" | "onnx";
  /** By name, in the file's order; float16 and bfloat16 are their bits. */
  tensors: Map<string, NdArray>;
  /** What else the file holds, as plain data: epoch and hyper-parameters, metadata, the producer. */
  other: Record<string, PlainValue>;
}

/**
 * The tensors of a checkpoint. `path`: a file, or for TensorFlow a folder, an `.index` file or the prefix before it.
 * IoError where nothing is there, FormatError for damage (checksums are compared where the format has them),
 * UnsupportedError for what is understood but not offered, LimitError for more than the file can rightly need.
 */
export async function readTensorFile(path: string): Promise<TensorFile> {
  const bytes = await readFileChecked(path);
  if (bytes[8] === 0x7b && bytes[0] !== 0x50) {
    const { tensors, metadata } = named(path, () => readSafetensors(bytes));
    return { format: "safetensors", tensors, other: metadata };
  }
  const { tensors, meta } = readTorchCheckpoint(bytes, { name: path });
  return { format: "torch", tensors, other: meta };
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}
