/**
 * Tensors of a file, whatever made it: PyTorch (.pth, .pt, .ckpt), safetensors, ONNX, or a TensorFlow checkpoint given by
 * its folder, its index or its prefix. The kind is told by the content, never by the name. Files are read in the pieces
 * that the tensors need: a checkpoint with its optimizer's state takes no more memory than its weights.
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import type { NdArray } from "../formats/ndarray.js";
import { readOnnxInitializers } from "../formats/onnx-initializers.js";
import { readSafetensors } from "../formats/safetensors.js";
import { isTensorflowIndex } from "../formats/tensorflow.js";
import { type PlainValue, readTorchCheckpoint } from "../formats/torch.js";
import { checkPath } from "./atomic.js";
import { FileSource } from "./file-source.js";
import { findTensorflow, isFolder, readTensorflowFiles } from "./tensorflow-files.js";

/** A file of weights, read. */
export interface TensorFile {
  format: "torch" | "tensorflow" | "safetensors" | "onnx";
  /** By name, in the file's order; float16 and bfloat16 are their bits. Layouts are the file's own. */
  tensors: Map<string, NdArray>;
  /** What else the file holds, as plain data: epoch and hyper-parameters, metadata, the producer, text tensors. */
  other: Record<string, PlainValue>;
}

/**
 * The tensors of a checkpoint. `path`: a file, or for TensorFlow a folder (SavedModels too), an `.index` file or the
 * prefix before it.
 *
 * IoError where nothing is there, OptionError for a folder without a checkpoint or with several, FormatError for damage
 * (checksums are compared where the format has them), UnsupportedError for what is understood but not offered,
 * LimitError for more than the file can rightly need. Each names the file.
 */
export async function readTensorFile(path: string): Promise<TensorFile> {
  checkPath("read", path);
  const prefix = findTensorflow(path);
  if (prefix !== null) return tensorflow(prefix);
  if (isFolder(path)) {
    throw new OptionError(
      `no TensorFlow checkpoint in the folder "${path}": it has no .index file, nor has its folder "variables"`,
    );
  }
  const source = new FileSource(path);
  try {
    return read(path, source);
  } finally {
    source.dispose();
  }
}

function read(path: string, source: FileSource): TensorFile {
  const start = source.read(0, Math.min(16, source.size));
  const [first, second] = start;
  // "PK", and the pickle that legacy files begin with.
  if ((first === 0x50 && second === 0x4b) || (first === 0x80 && second === 2)) {
    const { tensors, meta } = readTorchCheckpoint(source, { name: path });
    return { format: "torch", tensors, other: meta };
  }
  refuse(path, start);
  if (start[8] === 0x7b) {
    const { tensors, metadata } = readSafetensors(source, path);
    return { format: "safetensors", tensors, other: metadata };
  }
  // An index under another name, or a checkpoint of the first format, which is refused by its name.
  if (isTensorflowIndex(source)) return tensorflow(path, path);
  // ModelProto begins with its version, field 1.
  if (first === 8) {
    const external = (location: string) => openBeside(path, location, opened);
    const opened: FileSource[] = [];
    try {
      const { tensors, meta } = readOnnxInitializers(source, { name: path, external });
      return { format: "onnx", tensors, other: meta };
    } finally {
      for (const file of opened) file.dispose();
    }
  }
  throw new FormatError(
    `${path}: not a file of weights that is known (PyTorch, TensorFlow, safetensors, ONNX); it begins with ${hex(start)}`,
  );
}

/** Files that people take for weights, by their first bytes. */
function refuse(path: string, start: Uint8Array): void {
  const text = String.fromCharCode(...start);
  if (text.startsWith("\x1f\x8b")) {
    throw new UnsupportedError(`${path}: packed by gzip (.tar.gz); unpack it and name the folder or file in it`);
  }
  if (text.startsWith("\x89HDF")) throw new UnsupportedError(`${path}: an HDF5 file (Keras); its weights are not read`);
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    throw new FormatError(
      `${path}: a web page, not weights: the download answered with a message; open it to read why`,
    );
  }
  if (text.startsWith("version https://")) {
    throw new FormatError(`${path}: a pointer of Git LFS, not the file itself; fetch it with "git lfs pull"`);
  }
}

function tensorflow(prefix: string, index?: string): TensorFile {
  const { tensors, meta } = readTensorflowFiles(prefix, index);
  return { format: "tensorflow", tensors, other: meta };
}

/** A file of external data. The reader has checked that its name leads nowhere else. */
function openBeside(path: string, location: string, opened: FileSource[]): FileSource | undefined {
  const file = join(dirname(path), location);
  if (!existsSync(file)) return undefined;
  const source = new FileSource(file);
  opened.push(source);
  return source;
}

const hex = (bytes: Uint8Array): string =>
  [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
