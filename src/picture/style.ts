/** The style sheet of the page on which matches are looked at: light and dark, from a telephone to a wide screen. */
import { PALETTE } from "./picture.js";

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fafafa; --panel: #fff; --text: #1b1f24; --faint: #59636e; --edge: #c9d0d7; --accent: #0b62b8; --stage: #23272d;
  --inlier: ${PALETTE.inlier}; --outlier: ${PALETTE.outlier}; --keypoint: ${PALETTE.keypoint};
  --outline: ${PALETTE.outline}; --casing: ${PALETTE.casing};
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --panel: #1e2226; --text: #e8eaed; --faint: #a5adb6; --edge: #3c434b; --accent: #7db9f5; --stage: #0b0d0f; }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { margin: 0; }
body {
  min-height: 100vh; display: flex; flex-direction: column; gap: 10px; padding: 12px 16px;
  background: var(--ground); color: var(--text); font: 15px/1.4 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }
h1 span { color: var(--faint); font-weight: 400; }
p { margin: 0; }
.counts { color: var(--faint); font-variant-numeric: tabular-nums; }
.counts b { color: var(--text); }
.bar { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; }
.bar > *, .group { display: flex; align-items: center; gap: 6px; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
label { display: inline-flex; align-items: center; gap: 6px; min-height: 32px; cursor: pointer; }
input { accent-color: var(--accent); margin: 0; }
input[type="checkbox"], input[type="radio"] { width: 17px; height: 17px; }
input[type="range"] { width: 150px; min-width: 0; }
output { font-variant-numeric: tabular-nums; min-width: 3.2em; }
button {
  min-width: 36px; min-height: 34px; padding: 0 10px; font: inherit; color: inherit; cursor: pointer;
  background: var(--panel); border: 1px solid var(--edge); border-radius: 6px;
}
button[aria-pressed="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
:disabled, label:has(:disabled) { opacity: 0.5; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.mark { flex: none; width: 22px; height: 0; border-top: 4px solid; border-radius: 2px; outline: 1px solid color-mix(in srgb, var(--text) 55%, transparent); }
.mark.inlier { border-color: var(--inlier); }
.mark.outlier { height: 4px; border: 0; outline: 0; background: repeating-linear-gradient(90deg, var(--outlier) 0 6px, transparent 6px 8px); }
.mark.outline { border-color: var(--outline); }
.mark.keypoint { width: 10px; height: 10px; border: 2px solid #555; border-radius: 50%; background: var(--keypoint); outline: 0; }
#stage {
  position: relative; flex: 1 1 auto; min-height: 300px; height: 58vh; overflow: hidden; border-radius: 6px;
  background: var(--stage); cursor: grab; touch-action: none; user-select: none; -webkit-user-select: none;
}
#stage.dragging { cursor: grabbing; }
#stage img { position: absolute; left: 0; top: 0; max-width: none; transform-origin: 0 0; visibility: hidden; pointer-events: none; }
#stage.overlay img { visibility: visible; }
#image0 { z-index: 1; }
canvas { z-index: 2; position: absolute; inset: 0; width: 100%; height: 100%; }
.told { display: flex; gap: 10px; align-items: stretch; }
#patches { position: static; flex: none; width: 232px; height: 112px; border-radius: 6px; background: var(--stage); }
#detail {
  flex: 1 1 auto; min-width: 0;
  min-height: 3.2em; padding: 6px 10px; border: 1px solid var(--edge); border-radius: 6px; background: var(--panel);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
.help { color: var(--faint); font-size: 0.87rem; }
kbd { padding: 0 4px; border: 1px solid var(--edge); border-radius: 4px; background: var(--panel); font: inherit; }
@media (max-width: 600px) {
  body { padding: 10px; }
  .bar { gap: 4px 14px; }
  label, button { min-height: 40px; }
  .wide { flex: 1 1 100%; }
  .told { flex-direction: column; }
  .wide input[type="range"] { flex: 1 1 auto; }
}
`;
