/**
 * Observable Plot without a browser: linkedom lends it a document. Plots come out as SVG text whose colours are the
 * page's variables, so that they follow light and dark. Loaded at the first use, which takes 0.4 s.
 */
import type * as PlotModule from "@observablehq/plot";
import { escapeXml, FORBIDDEN } from "../escape.js";
import { checkPeer, peerError } from "../peers.js";

export type Plot = typeof PlotModule;

export interface Plotter {
  Plot: Plot;
  /** The plot as `<svg>`; `description` says in words what it shows. */
  svg(description: string, options: PlotModule.PlotOptions): string;
}

export async function openPlotter(): Promise<Plotter> {
  const [Plot, { parseHTML }] = await Promise.all([importPlot(), importDom()]);
  const { document: page } = parseHTML("<!doctype html><html><body></body></html>");
  return {
    Plot,
    svg(description, options) {
      const plot = Plot.plot({ ...options, document: page }).outerHTML;
      // Plot's own style sheet is in the page once (document-style.ts). Escaping is linkedom's, which lets control characters pass.
      const text = plot.replace(/<style>[\s\S]*?<\/style>/, "").replace(FORBIDDEN, "\uFFFD");
      return text.replace("<svg ", () => `<svg role="img" aria-label="${escapeXml(description)}" `);
    },
  };
}

/** Throws an UnsupportedError where what draws plots is not installed. Before work of hours whose end is a report. */
export function checkPlotter(): void {
  checkPeer("@observablehq/plot");
  checkPeer("linkedom");
}

async function importPlot(): Promise<Plot> {
  checkPeer("@observablehq/plot");
  try {
    return await import("@observablehq/plot");
  } catch (cause) {
    throw peerError("@observablehq/plot", cause);
  }
}

async function importDom(): Promise<typeof import("linkedom")> {
  checkPeer("linkedom");
  try {
    return await import("linkedom");
  } catch (cause) {
    throw peerError("linkedom", cause);
  }
}

/** Height and width of a small panel, in units of which a telephone shows about one a pixel. */
export const PANEL = { width: 340, height: 270, marginLeft: 38, marginRight: 12, marginTop: 24, marginBottom: 36 };

/** A scale of shares, 0 to 1, with a light grid. */
export const SHARES: PlotModule.ScaleOptions = { domain: [0, 1], ticks: 5, grid: true, tickFormat: ".1f" };

/** Marks of the curves, told apart without colour; alternately filled by who drew them (see drawCurve). */
const SYMBOLS = ["circle", "square", "triangle", "diamond", "cross", "star", "wye"] as const;
/** Colours --c0… of the page's style. Coprime to the number of symbols: 56 curves before two look alike. */
const COLOURS = 8;

export interface CurveLook {
  colour: string;
  symbol: (typeof SYMBOLS)[number];
  /** Own results are thick and filled, those of others thin and hollow. */
  own: boolean;
}

export function curveLook(index: number, own: boolean): CurveLook {
  return { colour: `var(--c${index % COLOURS})`, symbol: SYMBOLS[index % SYMBOLS.length], own };
}

/** A curve through points [x, y]; what is not finite is a gap. */
export function drawCurve(
  { Plot }: Plotter,
  { colour, symbol, own }: CurveLook,
  points: readonly (readonly [number, number])[],
  { dashed = false, dots = true }: { dashed?: boolean; dots?: boolean } = {},
): PlotModule.Markish[] {
  const line = Plot.line(points as [number, number][], {
    stroke: colour,
    strokeWidth: own ? 2.4 : 1.4,
    ...(dashed ? { strokeDasharray: "5 3.5" } : {}),
  });
  if (!dots) return [line];
  const fill = own ? colour : "var(--panel)";
  const dot = Plot.dot(points as [number, number][], {
    symbol,
    fill,
    stroke: colour,
    strokeWidth: 1.2,
    r: own ? 3 : 2.6,
  });
  return [line, dot];
}

/** A sample of a curve for its legend. */
export function swatch(plotter: Plotter, look: CurveLook, options: { dashed?: boolean; dots?: boolean } = {}): string {
  const across = [-1, 0, 1].map((x): [number, number] => [x, 0]);
  const [line] = drawCurve(plotter, look, across, { ...options, dots: false });
  const marks = options.dots === false ? [] : drawCurve(plotter, look, [[0, 0]]).slice(1);
  const svg = plotter.svg("", {
    width: 36,
    height: 14,
    margin: 2,
    axis: null,
    x: { domain: [-1, 1] },
    y: { domain: [-1, 1] },
    marks: [line, ...marks],
  });
  return svg.replace(`role="img" aria-label=""`, `aria-hidden="true"`);
}
