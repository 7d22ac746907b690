/** What pages in Markdown print for their readers to type: blocks between fences, and the commands in those of a shell. */

export interface Block {
  language: string;
  text: string;
  /** The comment of the page that stands right before it; "" where there is none. */
  comment: string;
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  const fences = /(?:<!-- (.*?) -->\n+)?^( *)```(\w*)[^\n]*\n([\s\S]*?)^\2```$/gm;
  return [...page.matchAll(fences)].map(([, comment = "", , language, text]) => ({ language, text, comment }));
}

/** The words of a shell's line, quotes taken off; none of an empty line or a comment. */
export function words(line: string): string[] {
  const found: string[] = [];
  for (const [, double, single, bare] of line.replace(/(?:^|\s)#.*$/, "").matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g))
    found.push(double ?? single ?? bare);
  return found;
}

/** The commands `strata …` of a page's shell blocks (and those without a language), each as its words. */
export function strataLines(page: string): string[][] {
  return blocksOf(page)
    .filter(({ language }) => /^(?:sh|bash|shell|)$/.test(language))
    .flatMap(({ text }) => text.replace(/\\\n/g, " ").split("\n"))
    .map(words)
    .map((line) => (line[0] === "node" && line[1] === "bin/strata.js" ? ["strata", ...line.slice(2)] : line))
    .filter(([program]) => program === "strata");
}
