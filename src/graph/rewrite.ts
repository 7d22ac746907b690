/**
 * One rewriting of the program before it is lowered: the first or last k of an argsort. jax-js writes top-k as
 * argsort of everything, arithmetic on the indices, and a cut at the end; moved to the front, the cut lets the sort
 * make k values only.
 */
import { type Atom, type Eqn, isVar, type Program, type Var } from "./jaxpr.js";

type Cut = [number, number];

/** Every argsort whose results are only ever read through one and the same cut of the last axis is given that cut. */
export function cutSorts(program: Program): Program {
  const readers = readersOf(program);
  const cuts = new Map<Var, Cut>();
  for (const eqn of program.eqns) {
    if (eqn.primitive !== "argsort") continue;
    const found = eqn.outs.flatMap((out) => cutsOf(out, readers, program.outputs));
    const n = eqn.outs[0].aval.shape.at(-1) as number;
    const first = found[0];
    const same = found.every((cut) => cut !== null && first !== null && cut[0] === first[0] && cut[1] === first[1]);
    if (!first || !same || (first[0] !== 0 && first[1] !== n) || first[0] === first[1]) continue;
    for (const out of eqn.outs) cuts.set(out, first);
    eqn.params = { ...eqn.params, cut: first };
    spread(eqn, first, readers);
  }
  return program;
}

function readersOf({ eqns }: Program): Map<Var, Eqn[]> {
  const readers = new Map<Var, Eqn[]>();
  for (const eqn of eqns) {
    for (const atom of new Set(eqn.inputs)) {
      if (isVar(atom)) readers.set(atom, [...(readers.get(atom) ?? []), eqn]);
    }
  }
  return readers;
}

/** Cuts through which a value is read; null stands for a reader that wants all of it. */
function cutsOf(value: Var, readers: Map<Var, Eqn[]>, outputs: readonly Atom[]): (Cut | null)[] {
  if (outputs.includes(value)) return [null];
  return (readers.get(value) ?? []).flatMap((eqn): (Cut | null)[] => {
    if (eqn.primitive === "shrink") {
      const slice = eqn.params.slice as Cut[];
      const whole = slice.slice(0, -1).every(([start, end], i) => start === 0 && end === value.aval.shape[i]);
      return [whole ? slice[slice.length - 1] : null];
    }
    return passes(eqn) ? cutsOf(eqn.outs[0], readers, outputs) : [null];
  });
}

/** Arithmetic of one value with a number, which commutes with a cut. */
const passes = (eqn: Eqn): boolean =>
  ["neg", "add", "mul"].includes(eqn.primitive) && eqn.inputs.filter((atom) => isVar(atom)).length === 1;

/** Turns the cuts behind a sort that is already cut into no-ops. */
function spread(eqn: Eqn, cut: Cut, readers: Map<Var, Eqn[]>): void {
  for (const out of eqn.outs) {
    for (const reader of readers.get(out) ?? []) {
      if (reader.primitive === "shrink") {
        const slice = (reader.params.slice as Cut[]).slice(0, -1);
        reader.params = { ...reader.params, slice: [...slice, [0, cut[1] - cut[0]]] };
      } else spread(reader, cut, readers);
    }
  }
}
