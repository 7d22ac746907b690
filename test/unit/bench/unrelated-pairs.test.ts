import { describe, expect, it } from "vitest";
import { UnrelatedPairs } from "../../../src/bench/unrelated-pairs.js";

/** Pairs that epochs over these photographs bring, a view being its photograph's name. */
function draw(pairs: UnrelatedPairs<string>, names: readonly string[], epochs: number): string[] {
  const drawn: string[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const name of epoch % 2 ? [...names].reverse() : names) {
      for (const other of pairs.partners(name)) drawn.push([name, other].sort().join(" "));
      pairs.add(name, name);
    }
  }
  return drawn;
}

describe("unrelated pairs", () => {
  const names = Array.from({ length: 12 }, (_, k) => `photo${k}`);

  it("are drawn once each, none with itself, until there are no more", () => {
    const pairs = new UnrelatedPairs<string>();
    const drawn = draw(pairs, names, 8);
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(drawn.length).toBe(66);
    expect(drawn.some((pair) => pair.split(" ")[0] === pair.split(" ")[1])).toBe(false);
    expect(draw(pairs, names, 1)).toEqual([]);
  });

  it("come again when that is allowed, which tells whether there are any", () => {
    const pairs = new UnrelatedPairs<string>();
    draw(pairs, names, 8);
    expect(pairs.again()).toBe(true);
    expect(draw(pairs, names, 1).length).toBeGreaterThan(30);
    const alone = new UnrelatedPairs<string>();
    expect(draw(alone, ["one"], 3)).toEqual([]);
    expect(alone.again()).toBe(false);
  });

  it("are never of one place, and as many as are asked for", () => {
    const pairs = new UnrelatedPairs<string>(["drone_", "town/"]);
    const drawn = draw(pairs, ["drone_1", "a", "drone_2", "town/1", "town/2", "drone_3"], 5);
    expect(drawn).toContain("a drone_2");
    expect(drawn).toContain("drone_2 town/1");
    expect(drawn.filter((pair) => /drone_.*drone_|town.*town/.test(pair))).toEqual([]);
    const views = new UnrelatedPairs<number>();
    for (const [k, name] of names.entries()) views.add(name, k);
    expect(views.partners("photo20", 2)).toEqual([11, 10]);
    expect(views.partners("photo20")).toEqual([9, 8, 7, 6]);
  });
});
