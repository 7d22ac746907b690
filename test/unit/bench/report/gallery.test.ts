/** Drawn pairs: lines where the keypoints are, photographs once. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { galleryHtml } from "../../../../src/bench/report/gallery-html.js";
import type { Gallery, PairPicture } from "../../../../src/bench/report/input.js";
import { PALETTE } from "../../../../src/picture/picture.js";

const href = "data:image/png;base64,iVBORw0KGgo=";
const photos = { a: { href, width: 417, height: 200 }, b: { href, width: 417, height: 200 } };
const pair: PairPicture = {
  method: "m",
  protocol: "top-500",
  sequence: "v_x",
  images: [1, 4],
  which: "worst",
  photos: ["a", "b"],
  matches: 1000,
  right: 250,
  lines: [-0.5, -0.5, 416.5, 199.5, 10, 20, 30, 40, Number.NaN, 0, 0, 0],
  isRight: [1, 0, 1],
};

const open = (change: Partial<Gallery>) =>
  parseHTML(galleryHtml({ photos, pairs: [pair], scoreMaps: [], ...change })).document;

describe("galleryHtml", () => {
  it("draws right and wrong matches from corner to corner, pixel centres on integers", () => {
    // 840 units for two images of 417 pixels and a gap of 6: one unit a pixel.
    const page = open({});
    expect(page.querySelector(".pair svg")?.getAttribute("viewBox")).toBe("0 0 840 200");
    const paths = (colour: string) =>
      [...page.querySelectorAll(`path[stroke="${colour}"]`)].map((path) => path.getAttribute("d"));
    expect(paths(PALETTE.inlier)).toEqual(["M0 0L840 200"]);
    expect(paths(PALETTE.outlier)).toEqual(["M10.5 20.5L453.5 40.5"]);
    expect(page.querySelector("g[stroke-dasharray] path[stroke='#e69f00']")).not.toBeNull();
  });

  it("says what is drawn", () => {
    const caption = open({}).querySelector("figcaption")?.textContent;
    expect(caption).toBe("m, best 500, worst pair 1–4: 250 of 1\u2009000 matches right (0.250), 3 drawn");
    const empty = open({ pairs: [{ ...pair, matches: 0, right: 0, lines: [], isRight: [], which: "only" }] });
    expect(empty.querySelector("figcaption")?.textContent).toBe("m, best 500, only pair 1–4: no matches");
    expect(empty.querySelectorAll(".pair path")).toHaveLength(0);
  });

  it("has each photograph once, and sections by sequence", () => {
    const page = open({ pairs: [pair, { ...pair, which: "best" }, { ...pair, sequence: "i_y" }] });
    expect(page.querySelectorAll("image")).toHaveLength(2);
    expect(page.querySelectorAll("use")).toHaveLength(6);
    for (const use of page.querySelectorAll("use")) {
      expect(page.querySelector(use.getAttribute("href") ?? "")?.tagName.toLowerCase()).toBe("image");
    }
    expect([...page.querySelectorAll("h3")].map((h) => h.textContent)).toEqual(["v_x", "i_y"]);
  });

  it("bounds the height of upright pairs", () => {
    const tall = { href, width: 300, height: 600 };
    const page = open({ photos: { a: tall, b: tall } });
    expect(page.querySelector(".pair svg")?.getAttribute("viewBox")).toBe("0 0 466 460");
  });

  it("shows maps beside their photograph, small ones cell by cell", () => {
    const maps = [
      { name: "early", href, width: 320, height: 240 },
      { name: "deep", href, width: 40, height: 30 },
    ];
    const page = open({
      pairs: [],
      scoreMaps: [{ method: "m", sequence: "v_x", image: 1, photo: "a", maps, note: "n" }],
    });
    expect([...page.querySelectorAll(".maps img")].map((img) => img.className)).toEqual(["", "cells"]);
    expect([...page.querySelectorAll(".maps img")].map((img) => img.getAttribute("alt"))).toEqual([
      "early of m on image 1 of v_x",
      "deep of m on image 1 of v_x",
    ]);
    expect(page.querySelector(".maps figcaption")?.textContent).toBe("m: n");
  });
});
