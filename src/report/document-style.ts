/** The style sheet of reports: light and dark, from a telephone to paper. */
import { PALETTE } from "../picture/picture.js";

/** Curve colours with a contrast of 3 : 1 and more to their ground, and far apart for any colour vision where few are used. */
const LIGHT = ["#0067a8", "#c04e00", "#007a5a", "#a8447f", "#6b4fbb", "#7a5c00", "#3d6b7d", "#b3261e"];
const DARK = ["#5ab8f0", "#ff9a57", "#2fd0a2", "#f09bcb", "#b6a4ff", "#e3c04d", "#9cc5d6", "#ff8a80"];
const variables = (colours: readonly string[]) => colours.map((colour, i) => `--c${i}: ${colour};`).join(" ");

export const DOCUMENT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fafafa; --panel: #fff; --text: #1b1f24; --faint: #59636e; --edge: #d3d9df; --accent: #0b62b8;
  --best: #e6f0fa; --right: ${PALETTE.inlier}; --wrong: ${PALETTE.outlier}; ${variables(LIGHT)}
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --panel: #1b1f23; --text: #e8eaed; --faint: #a5adb6; --edge: #363d44; --accent: #7db9f5; --best: #16324d; ${variables(DARK)} }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 8px; }
body { margin: 0 auto; max-width: 1180px; padding: 20px 24px 60px; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { margin: 0 0 4px; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 44px 0 10px; padding-top: 10px; border-top: 1px solid var(--edge); font-size: 1.25rem; }
h3 { margin: 26px 0 8px; font-size: 1.05rem; }
h4 { margin: 0 0 2px; font-size: 0.9rem; overflow-wrap: anywhere; }
p { margin: 0 0 10px; max-width: 76ch; }
a { color: var(--accent); }
.faint, figcaption { color: var(--faint); }
.notes { padding: 8px 14px; border-left: 4px solid var(--wrong); background: var(--panel); }
nav { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 12px; }
nav a { display: inline-block; padding: 4px 0; }
figure { margin: 18px 0 30px; }
figcaption { margin-top: 8px; font-size: 0.9rem; max-width: 90ch; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px; }
.panels > div { min-width: 0; max-width: 460px; padding: 10px 10px 6px; border: 1px solid var(--edge); border-radius: 8px; background: var(--panel); }
.panels.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 440px)); }
.panels svg { display: block; width: 100%; height: auto; overflow: visible; }
.panels svg { font-size: 11px; }
svg text { white-space: pre; }
.legend { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 4px 18px; margin: 12px 0 0; padding: 0; list-style: none; font-size: 0.87rem; line-height: 1.35; }
.legend li { display: flex; gap: 8px; align-items: start; min-width: 0; }
.legend li > :last-child { min-width: 0; overflow-wrap: anywhere; color: var(--faint); font-variant-numeric: tabular-nums; }
.legend b { color: var(--text); font-weight: 600; }
.samples { display: flex; flex: none; flex-direction: column; gap: 3px; padding-top: 2px; }
.scroll { margin: 14px 0 24px; overflow-x: auto; border: 1px solid var(--edge); border-radius: 8px; background: var(--panel); }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 0.87rem; font-variant-numeric: tabular-nums; }
caption { position: sticky; left: 0; padding: 8px 12px 4px; text-align: left; font-weight: 600; }
th, td { padding: 4px 9px; text-align: right; white-space: nowrap; }
th { font-weight: 500; }
thead th { color: var(--faint); border-bottom: 1px solid var(--edge); vertical-align: bottom; }
thead .over th { border-bottom: 0; padding-bottom: 0; text-align: center; }
thead .over th, .begins { border-left: 1px solid var(--edge); }
tr > th:first-child { position: sticky; left: 0; text-align: left; background: var(--panel); }
tbody th[scope="row"] { min-width: 130px; max-width: 300px; white-space: normal; overflow-wrap: anywhere; }
.many th, .many td { padding: 4px 5px; font-size: 0.82rem; }
.many tr > :first-child { padding-left: 9px; }
tr.group th { padding-top: 12px; color: var(--faint); font-weight: 600; }
tr.group span { position: sticky; left: 9px; }
tbody tr:not(.group):hover > * { background: var(--best); }
td b { font-weight: 700; padding: 1px 4px; margin: 0 -4px; border-radius: 4px; background: var(--best); }
pre { margin: 0 0 14px; padding: 10px 14px; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--edge); border-radius: 8px; background: var(--panel); font-size: 0.87rem; }
dl { margin: 0 0 12px; }
dl > div { display: grid; grid-template-columns: 170px 1fr; gap: 4px 14px; padding: 3px 0; }
dt { min-width: 0; color: var(--faint); overflow-wrap: anywhere; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
details { border: 1px solid var(--edge); border-radius: 8px; background: var(--panel); margin: 8px 0; padding: 0 14px; }
summary { padding: 8px 0; cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 600px) {
  body { padding: 14px 14px 40px; }
  h1 { font-size: 1.3rem; }
  dl > div { grid-template-columns: 1fr; gap: 0; }
  tbody th[scope="row"] { min-width: 96px; max-width: 130px; }
  nav a { padding: 9px 0; }
}
@media print {
  :root { color-scheme: light; --ground: #fff; --panel: #fff; --text: #000; --faint: #444; --edge: #bbb; --best: #fff; ${variables(LIGHT)} }
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  h4, figcaption { font-size: 8.5pt; }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 6.5pt; }
  th, td { padding: 2px 3px; }
  .many th, .many td { padding: 2px; font-size: 6pt; }
  tbody th[scope="row"] { min-width: 0; max-width: 110px; }
  .panels { grid-template-columns: repeat(3, 1fr); gap: 6px; }
  .panels.two { grid-template-columns: 1fr 1fr; }
  .legend { grid-template-columns: repeat(3, 1fr); font-size: 7.5pt; }
  figure, .panels > div, tbody tr { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
}
`;
