/**
 * The figure of D2-Net's paper (Dusmanu et al. 2019): mean matching accuracy against the threshold, 1 to 10 px, in three
 * panels; solid as matched, dashed after RANSAC; a legend with numbers of features and matches.
 */
import { escapeXml } from "../../escape.js";
import { drawCurve, PANEL, type Plotter, SHARES, swatch } from "../../report/plotter.js";
import { at, type Curve, type Series } from "./series.js";
import { count, decimals } from "./text.js";

const PANELS = [
  { name: "overall", title: "Overall" },
  { name: "illumination", title: "Illumination" },
  { name: "viewpoint", title: "Viewpoint" },
] as const;

/** Thresholds on the axis. */
const SHOWN = { from: 1, to: 10 };

/** A `<figure>`; `caption` is HTML. Without series it is empty. */
export function mmaFigure(plotter: Plotter, id: string, caption: string, series: readonly Series[]): string {
  if (series.length === 0) return "";
  const panels = PANELS.map(({ name, title }) => {
    // Own curves come first in the legend and are drawn last, over the others.
    const curves = series
      .toReversed()
      .flatMap(({ raw, refined, look }) => [
        ...drawCurve(plotter, look, points(refined, name), { dashed: true, dots: raw === null }),
        ...drawCurve(plotter, look, points(raw, name)),
      ]);
    const svg = plotter.svg(describe(title, name, series), {
      ...PANEL,
      x: { domain: [SHOWN.from, SHOWN.to], ticks: 10, tickFormat: "d", label: "threshold (px) →" },
      y: { ...SHARES, label: "MMA" },
      marks: [plotter.Plot.ruleY([0]), ...curves],
    });
    return `<div><h4>${title}</h4>${svg}</div>`;
  });
  // Where all come from one place, the caption says so once.
  const mixed = new Set(series.map(({ origin }) => origin)).size > 1;
  return `<figure id="${id}"><div class="panels">${panels.join("\n")}</div>
<ul class="legend">${series.map((one) => legendEntry(plotter, one, mixed)).join("\n")}</ul>
<figcaption>${caption}</figcaption></figure>`;
}

function points(curve: Curve | null, panel: "overall" | "illumination" | "viewpoint"): [number, number][] {
  const values = curve?.[panel];
  if (!curve || !values) return [];
  return curve.thresholds
    .map((t, i): [number, number] => [t, values[i]])
    .filter(([t]) => t >= SHOWN.from && t <= SHOWN.to);
}

/** The text alternative: each method at 3 px, which is what the figure is read for. */
function describe(title: string, panel: "overall" | "illumination" | "viewpoint", series: readonly Series[]): string {
  const said = series.map(({ name, raw, refined }) => {
    const values = [
      raw ? decimals(at(raw, panel, 3), 3) : "",
      refined ? `${decimals(at(refined, panel, 3), 3)} refined` : "",
    ];
    return `${name} ${values.filter((text) => text !== "").join(", ")}`;
  });
  return `${title}: MMA over thresholds of 1 to 10 px. At 3 px: ${said.join("; ")}.`;
}

function legendEntry(plotter: Plotter, { name, origin, look, raw, refined }: Series, mixed: boolean): string {
  const lines = [
    raw ? swatch(plotter, look) : "",
    refined ? swatch(plotter, look, { dashed: true, dots: raw === null }) : "",
  ];
  const counts = (curve: Curve) => `${count(curve.features)} features, ${count(curve.matches)} matches`;
  let said = raw ? counts(raw) : "";
  if (refined) {
    const same = raw !== null && raw.features === refined.features;
    said += raw ? (same ? `, ${count(refined.matches)} refined` : `; refined ${counts(refined)}`) : counts(refined);
  }
  const shownOrigin = origin === "" || !mixed ? "" : ` <i>${origin}</i>`;
  return `<li><span class="samples">${lines.join("")}</span><span><b>${escapeXml(name)}</b>${shownOrigin}<br>${said}</span></li>`;
}
