/**
 * Whether the graphs of two samples of the named dimensions are one and the same, so that it serves every size: the
 * test that a function does not bake its sizes in.
 */
import { UnsupportedError } from "../errors.js";
import type { OnnxBuilder } from "./onnx.js";

/** Compares two graphs node by node; constants count by value. */
export function requireSameGraph(a: OnnxBuilder, b: OnnxBuilder): void {
  const [left, right] = [a.live(), b.live()];
  const text = (value: unknown) => JSON.stringify(value);
  for (let i = 0; i < Math.max(left.nodes.length, right.nodes.length); i++) {
    const [p, q] = [left.nodes[i], right.nodes[i]];
    const values = (builder: OnnxBuilder, names: readonly string[] = []) =>
      names.map((name) => {
        const constant = builder.initializer(name);
        return constant
          ? [constant.shape, constant.data.length <= 64 ? [...constant.data].map(String) : constant.data.length]
          : name;
      });
    if (
      p?.op === q?.op &&
      text(p?.attributes) === text(q?.attributes) &&
      text(values(a, p?.inputs)) === text(values(b, q?.inputs))
    )
      continue;
    throw new UnsupportedError(
      `compile: the graph depends on its named dimensions at node ${i} (${p?.op ?? "none"} ${text(p?.attributes ?? {})} ` +
        `${text(values(a, p?.inputs))} against ${q?.op ?? "none"} ${text(q?.attributes ?? {})} ${text(values(b, q?.inputs))}); ` +
        "give these dimensions as numbers",
    );
  }
}
