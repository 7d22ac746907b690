/** The style sheet of the benchmark's report: that of all reports, and pictures of pairs and score maps. */
import { DOCUMENT_STYLE } from "../../report/document-style.js";

export const STYLE = `${DOCUMENT_STYLE}.key span { margin-right: 16px; white-space: nowrap; }
.key .line { display: inline-block; width: 28px; margin-right: 6px; vertical-align: middle; border-top: 4px solid var(--right); }
.key .wrong { border-top: 4px dashed var(--wrong); }
.store { position: absolute; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 16px; }
.pairs figure { margin: 0; min-width: 0; }
.pair svg { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
.pairs figcaption, .maps figcaption { margin-top: 4px; font-size: 0.85rem; overflow-wrap: anywhere; }
.pairs figcaption b, .maps figcaption b { color: var(--text); }
.maps { margin: 14px 0; }
.maps > div { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); gap: 10px; }
.maps > div > div { min-width: 0; font-size: 0.85rem; color: var(--faint); }
.maps img, .maps svg { display: block; width: 100%; height: auto; border-radius: 6px; }
.maps .cells { image-rendering: pixelated; }
@media (max-width: 600px) {
  .maps > div { grid-template-columns: 1fr 1fr; }
}
@media print {
  .pairs { grid-template-columns: 1fr 1fr; gap: 8px; }
  .maps > div { grid-template-columns: repeat(4, 1fr); gap: 6px; }
}
`;
