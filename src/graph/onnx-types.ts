/** Element types of ONNX and their codes; apart, for what is prepared needs no more of ONNX than these. */

/** Element types inside a graph. uint32 travels as int64: ONNX runtimes have few kernels for uint32. */
export type OnnxType = "float32" | "float16" | "float64" | "int32" | "int64" | "uint32" | "int8" | "uint8" | "bool";

/** Of TensorProto.DataType (onnx.proto). */
const CODES: Record<OnnxType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
};

/** The numeric code of an element type in ONNX, as the `to` of a Cast wants it. */
export const onnxTypeCode = (type: OnnxType): number => CODES[type];
