/**
 * A report as one HTML page that is whole by itself. It needs no script, its security policy allows no request, it
 * follows the reader's light or dark, and it can be read on a telephone and on paper.
 */
import { escapeXml } from "../escape.js";

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface Chapter {
  id: string;
  title: string;
  /** HTML; a chapter without any is left out. */
  body: string;
}

export interface ReportPage {
  /** Plain text, as are subtitle and notes. */
  title: string;
  subtitle: string;
  notes: readonly string[];
  chapters: readonly Chapter[];
  style: string;
}

/** The page as HTML text. */
export function reportPage({ title, subtitle, notes, chapters, style }: ReportPage): string {
  const shown = chapters.filter(({ body }) => body !== "");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header>
<h1>${escapeXml(title)}</h1>
<p class="faint">${escapeXml(subtitle)}</p>
${notes.map((note) => `<p class="notes">${escapeXml(note)}</p>`).join("\n")}
<nav aria-label="Chapters">${shown.map(({ id, title }) => `<a href="#${id}">${title}</a>`).join("")}</nav>
</header>
<main>
${shown.map(({ id, title, body }) => `<section><h2 id="${id}">${title}</h2>\n${body}</section>`).join("\n")}
</main>
</body>
</html>
`;
}
