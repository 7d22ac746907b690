/** The page: figures as they were given, nothing that a browser would fetch or run, nothing that is no number. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { benchReportHtml, type ReportInput } from "../../../../src/bench/report/index.js";
import type { ChangeCurve, MethodCurve } from "../../../../src/bench/types.js";
import { THRESHOLDS } from "../../../../src/bench/types.js";
import { OptionError, ShapeError } from "../../../../src/errors.js";
import { publishedCurves } from "../../../../src/node/bench/published.js";
import { alpha, beta } from "./runs.js";

const PIXEL = "data:image/png;base64,iVBORw0KGgo=";

function inputOf(change: Partial<ReportInput> = {}): ReportInput {
  return {
    date: "2026-01-02",
    command: "strata bench hpatches --data D",
    full: false,
    runs: [alpha(), beta()],
    ...change,
  };
}

async function open(change: Partial<ReportInput> = {}) {
  const html = await benchReportHtml(inputOf(change));
  return { html, page: parseHTML(html).document };
}

type Page = Awaited<ReturnType<typeof open>>["page"];

/** Cells of the rows with this heading in the table with this caption; group by group. */
function rows(page: Page, caption: string, label: string): string[][] {
  const table = [...page.querySelectorAll("table")].find(
    (one) => one.querySelector("caption")?.textContent === caption,
  );
  if (!table) throw new Error(`no table "${caption}"`);
  return [...table.querySelectorAll("tbody tr")]
    .filter((row) => row.querySelector("th")?.textContent === label)
    .map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? ""));
}

/** The y of a share in a panel: 270 units high, margins 24 above and 36 below. */
const panelY = (share: number) => 24 + (1 - share) * (270 - 24 - 36);

/** The curves drawn in the first panel of a figure, as y at each x of 38 + (t − 1) · 290 / 9. */
function curvesAt3(page: Page, figure: string): number[] {
  const svg = page.querySelector(`#${figure} svg`);
  return [...(svg?.querySelectorAll('g[aria-label="line"] path') ?? [])].flatMap((path) => {
    const points = (path.getAttribute("d") ?? "").slice(1).split("L");
    const point = points.map((text) => text.split(",").map(Number)).find(([x]) => Math.abs(x - 102.44) < 0.01);
    return point ? [point[1]] : [];
  });
}

describe("published figures", () => {
  it("are shown as published: tables and curves", async () => {
    const { page } = await open({ runs: [], published: await publishedCurves() });
    expect(page.querySelector("h1")?.textContent).toBe("Published figures on HPatches");
    const caption = "Published figures (HPatches, 108 sequences)";
    const at3 = (label: string) => rows(page, caption, label).map((cells) => cells[1]);
    expect(at3("Reference, final model")).toEqual(["0.270"]);
    expect(at3("Reference, final model, refined")).toEqual(["0.691"]);
    expect(at3("SuperPoint")).toEqual(["0.645"]);
    expect(at3("D2-Net")).toEqual(["0.430"]);
    expect(rows(page, caption, "SuperPoint")[0].slice(0, 4)).toEqual(["0.339", "0.645", "0.729", "0.790"]);
    const drawn = curvesAt3(page, "comparison-figure");
    for (const value of [0.27, 0.691, 0.645, 0.43]) {
      expect(drawn.some((y) => Math.abs(y - panelY(value)) < 0.6 * (270 - 60) * 1e-3)).toBe(true);
    }
    // 11 of others as they are, one refined, and the final model twice.
    expect(drawn).toHaveLength(13);
    expect(curvesAt3(page, "losses-figure").some((y) => Math.abs(y - panelY(0.27)) < 0.15)).toBe(true);
  });

  it("stand beside runs on the full HPatches only", async () => {
    const published = await publishedCurves();
    const { html: without } = await open({ published });
    expect(without.includes("SuperPoint")).toBe(false);
    expect(without.includes("losses-figure")).toBe(false);
    expect(without.includes("not shown beside other images"), "not shown beside other images").toBe(true);
    const { html: full } = await open({ published, full: true });
    expect(full.includes("SuperPoint"), "SuperPoint").toBe(true);
    expect(full.includes("losses-figure"), "losses-figure").toBe(true);
  });
});

describe("runs", () => {
  it("have their means in the table, the best in bold, and dashes for what was not measured", async () => {
    const { page } = await open();
    const [all, illumination, viewpoint] = rows(page, "Features and matches", "alpha");
    const [features, matches, at1, at3, at5, at10] = all;
    expect({ features, matches, at1, at3, at5, at10 }).toEqual({
      // Two first images with 400 keypoints, four others with 200.
      features: "267",
      matches: "75",
      at1: "0.175",
      at3: "0.350",
      at5: "0.350",
      at10: "0.350",
    });
    expect(illumination[3]).toBe("0.600");
    expect(viewpoint[3]).toBe("0.100");
    // Median of 0.1, 0.2, 0.3 s; one pair without matches.
    expect(all.slice(-3)).toEqual(["1", "200", "512"]);
    expect(rows(page, "Features and matches", "beta")[0].slice(-3)).toEqual(["0", "–", "–"]);
    const bold = [...page.querySelectorAll("td b")].map((element) => element.textContent);
    expect(bold).toContain("0.900");
    expect(bold).not.toContain("0.350");
  });

  it("have homographies by estimator, and their curves", async () => {
    const { page } = await open();
    const [all] = rows(page, "Homographies", "alpha");
    expect(all.slice(0, 3)).toEqual(["0.250", "0.500", "0.500"]);
    expect(all.slice(6, 9)).toEqual(["0.250", "0.500", "0.500"]);
    expect(all.slice(12, 15)).toEqual(["0.000", "0.000", "0.000"]);
    expect(page.querySelectorAll("#homography-figure .panels svg")).toHaveLength(3);
  });

  it("are drawn where their means are", async () => {
    const { page } = await open();
    const wanted = [0.35, 0.9].map((share) => Math.round(100 * panelY(share)) / 100);
    const drawn = curvesAt3(page, "comparison-figure").map((y) => Math.round(100 * y) / 100);
    for (const y of wanted) expect(drawn).toContain(y);
    expect(drawn).toHaveLength(4);
  });

  it("have a cell for each pair, and what made them", async () => {
    const { page, html } = await open();
    const cells = page.querySelectorAll('#pair-figure g[aria-label="cell"] rect');
    expect(cells).toHaveLength(8);
    expect(page.querySelector("#pair-figure title")?.textContent).toBe("i_one 1–2: 50 of 100 matches right");
    expect(page.querySelector("pre")?.textContent).toBe("strata bench hpatches --data D");
    for (const text of [
      "ab".repeat(32),
      "cd".repeat(32),
      "maxFeatures null",
      "magsac (threshold 3), trials 10000",
      "strata 0.1.0",
      "7.8 GiB",
      "2026-01-02",
    ])
      expect(html.includes(text), text).toBe(true);
    expect(page.querySelector("header p")?.textContent).toContain("4 pairs of 2 sequences");
  });

  it("keep apart when method and protocol are the same", async () => {
    const { page } = await open({ runs: [alpha(), alpha({ key: "alpha-2" }), alpha({ protocol: "top-100" })] });
    expect(rows(page, "Features and matches", "alpha (alpha-1)")).toHaveLength(3);
    expect(rows(page, "Features and matches", "alpha (alpha-2)")).toHaveLength(3);
    expect(rows(page, "Features and matches", "alpha, best 100")).toHaveLength(3);
  });

  it("of other sequences have no panel of a kind that is not there", async () => {
    const run = alpha();
    const records = run.records.map((record) => ({ ...record, kind: "other" as const }));
    const { page } = await open({ runs: [{ ...run, records }] });
    expect(page.querySelectorAll("#homography-figure .panels svg")).toHaveLength(1);
    expect(rows(page, "Features and matches", "alpha")).toHaveLength(1);
  });
});

const cached: MethodCurve = {
  name: "their-method",
  refined: false,
  thresholds: [...THRESHOLDS],
  overall: THRESHOLDS.map((t) => t / 20),
  illumination: THRESHOLDS.map((t) => t / 16),
  viewpoint: THRESHOLDS.map((t) => t / 40),
  meanFeatures: 1234,
  meanMatches: 567,
};

const turned: ChangeCurve = {
  method: "alpha",
  protocol: "own",
  change: "rotation",
  photos: ["i_one/1.png", "v_two/1.png"],
  values: [0, 90, 180],
  mma3: [1, 0.5, Number.NaN],
  homography3: [1, 0, 0],
  matches: [10, 5, 0],
};

describe("what stands beside the runs", () => {
  it("cached curves, with their numbers of features", async () => {
    const { page } = await open({ cached: [cached] });
    expect(rows(page, "From the reference’s cache", "their-method")[0]).toEqual([
      "0.050",
      "0.150",
      "0.250",
      "0.500",
      "0.188",
      "0.075",
      "1\u2009234",
      "567",
    ]);
    const legend = page.querySelector("#comparison-figure .legend")?.textContent ?? "";
    expect(legend).toContain("their-method cached1\u2009234 features, 567 matches");
  });

  it("curves over rotation and scale; a point that is no number is left out", async () => {
    const scaled = { ...turned, change: "scale" as const, values: [0.25, 1, 4] };
    const { page, html } = await open({ changes: [turned, scaled] });
    expect(page.querySelectorAll("#change-figure .panels svg")).toHaveLength(4);
    const [first] = page.querySelectorAll("#change-figure svg");
    expect(first.querySelectorAll('g[aria-label="dot"] circle')).toHaveLength(2);
    expect(html.match(/NaN/)).toBeNull();
    expect(page.querySelector("#change-figure figcaption")?.textContent).toContain(
      "Means over 2 photographs of at most 640 px.",
    );
    const one = await open({ changes: [turned, { ...scaled, photos: ["v_two/1.png"] }] });
    expect(one.page.querySelector("#change-figure figcaption")?.textContent).toContain("Means over 1 to 2 photographs");
  });
});

describe("hostile names", () => {
  const NASTY = `<script>alert(1)</script>"'&<img src=x onerror=alert(2)>\u0000</svg>`;

  it("are text wherever they stand", async () => {
    const run = alpha({ method: NASTY, key: NASTY, options: { [NASTY]: NASTY }, data: { name: NASTY, digest: NASTY } });
    const records = run.records.map((record) => ({ ...record, sequence: `i_${NASTY}` }));
    const { html, page } = await open({
      title: NASTY,
      command: NASTY,
      date: NASTY,
      notes: [NASTY],
      runs: [{ ...run, records }],
      cached: [{ ...cached, name: NASTY }],
      changes: [{ ...turned, method: NASTY }],
      gallery: {
        photos: { [NASTY]: { href: PIXEL, width: 8, height: 6 } },
        pairs: [
          {
            method: NASTY,
            protocol: NASTY,
            sequence: NASTY,
            images: [1, 2],
            which: "best",
            photos: [NASTY, NASTY],
            matches: 1,
            right: 1,
            lines: [0, 0, 1, 1],
            isRight: [1],
          },
        ],
        scoreMaps: [
          {
            method: NASTY,
            sequence: NASTY,
            image: 1,
            photo: NASTY,
            maps: [{ name: NASTY, href: PIXEL, width: 2, height: 2 }],
            note: NASTY,
          },
        ],
      },
    });
    expect(page.querySelectorAll("script, [onerror]")).toHaveLength(0);
    for (const image of page.querySelectorAll("img")) expect(image.getAttribute("src")).toMatch(/^data:/);
    expect(html.match(/<script|<img src=x|\0/)).toBeNull();
    const shown = NASTY.replace("\0", "\uFFFD");
    expect(page.querySelector("h1")?.textContent).toBe(shown);
    expect(page.querySelector("pre")?.textContent).toBe(shown);
    expect(page.querySelector(".notes")?.textContent).toBe(shown);
  });
});

describe("the page", () => {
  it("is whole by itself, without scripts, and the same for the same input", async () => {
    const published = await publishedCurves();
    const change = { published, full: true, cached: [cached], changes: [turned] };
    const { html } = await open(change);
    expect(html.match(/https?:|<script|<link rel="stylesheet"|@import|url\(/)).toBeNull();
    expect(html.includes("default-src 'none'"), "default-src 'none'").toBe(true);
    expect(html.match(/NaN|undefined|Infinity|\[object/)).toBeNull();
    expect((await open(change)).html === html).toBe(true);
  });

  it("says in words what every plot shows", async () => {
    const { page } = await open();
    const labels = [...page.querySelectorAll('svg[role="img"]')].map((svg) => svg.getAttribute("aria-label"));
    expect(labels.length).toBeGreaterThan(7);
    for (const label of labels) expect(label).toMatch(/\w+ .*\d/);
    expect(labels[0]).toContain("alpha 0.350");
  });

  it("names every chapter that it has, and no other", async () => {
    const { page } = await open();
    const targets = [...page.querySelectorAll("nav a")].map((link) => link.getAttribute("href"));
    expect(targets).toEqual(["#accuracy", "#homographies", "#pairs", "#configuration"]);
    for (const target of targets) expect(page.querySelectorAll(target ?? "")).toHaveLength(1);
  });

  it("is whole without anything to show", async () => {
    const { page, html } = await open({ runs: [] });
    expect(page.querySelectorAll("table, figure")).toHaveLength(0);
    expect(html.includes("strata bench hpatches --data D"), "strata bench hpatches --data D").toBe(true);
  });
});

describe("input that would make a broken page is refused", () => {
  const photo = { href: PIXEL, width: 4, height: 3 };
  const gallery = { photos: {}, pairs: [], scoreMaps: [] };
  const wrongPair = {
    method: "m",
    protocol: "own",
    sequence: "s",
    images: [1, 2],
    which: "best",
    matches: 1,
    right: 0,
  } as const;
  it.each<[string, Partial<ReportInput>, typeof OptionError | typeof ShapeError, RegExp]>([
    ["a run without pairs", { runs: [{ ...alpha(), records: [] }] }, ShapeError, /"alpha" \(own\) has no pairs/],
    ["an empty command", { command: "" }, OptionError, /"command" must be a text/],
    ["no date", { date: undefined as never }, OptionError, /"date" must be a text.*undefined/],
    ["full that is no flag", { full: "yes" as never }, OptionError, /"full" must be true or false, got yes/],
    [
      "a short curve",
      { cached: [{ ...cached, viewpoint: [1] }] },
      ShapeError,
      /their-method: viewpoint has 1 values, expected 15/,
    ],
    ["a short change", { changes: [{ ...turned, mma3: [] }] }, ShapeError, /alpha: mma3 has 0 values, expected 3/],
    [
      "a photograph from elsewhere",
      { gallery: { ...gallery, photos: { a: { ...photo, href: "https://example.org/a.png" } } } },
      OptionError,
      /picture "a" must be a data:image.*https:\/\/example/,
    ],
    ["a photograph of no size", { gallery: { ...gallery, photos: { a: { ...photo, height: 0 } } } }, ShapeError, /4×0/],
    [
      "a photograph that is not there",
      {
        gallery: {
          ...gallery,
          photos: { a: photo },
          pairs: [{ ...wrongPair, photos: ["a", "b"], lines: [], isRight: [] }],
        },
      },
      OptionError,
      /no photo "b"/,
    ],
    [
      "lines that do not fit",
      {
        gallery: {
          ...gallery,
          photos: { a: photo },
          pairs: [{ ...wrongPair, photos: ["a", "a"], lines: [1], isRight: [1] }],
        },
      },
      ShapeError,
      /has 1 values, expected 4/,
    ],
  ])("%s", async (_, change, kind, message) => {
    const failure = benchReportHtml(inputOf(change));
    await expect(failure).rejects.toThrow(kind);
    await expect(failure).rejects.toThrow(message);
  });
});
