/** A figure of a report: panels side by side, a legend below them, a caption. */
import { escapeXml } from "../escape.js";
import { type CurveLook, type Plotter, swatch } from "./plotter.js";

/** `panels` are HTML; `caption` is HTML too. */
export function figure(id: string, panels: readonly string[], legendHtml: string, caption: string): string {
  const columns = panels.length % 3 === 0 ? "" : " two";
  return `<figure id="${id}"><div class="panels${columns}">${panels.join("\n")}</div>
${legendHtml}
<figcaption>${caption}</figcaption></figure>`;
}

/** A sample, with a mark unless `dots` is false, and a name for each curve; `dashed`: two samples, for pairs of curves. */
export function legend(
  plotter: Plotter,
  entries: readonly { name: string; look: CurveLook; dots?: boolean }[],
  { dashed = false }: { dashed?: boolean } = {},
): string {
  const items = entries.map(({ name, look, dots = true }) => {
    const samples = `${swatch(plotter, look, { dots })}${dashed ? swatch(plotter, look, { dashed: true, dots: false }) : ""}`;
    return `<li><span class="samples">${samples}</span><span><b>${escapeXml(name)}</b></span></li>`;
  });
  return `<ul class="legend">${items.join("\n")}</ul>`;
}
