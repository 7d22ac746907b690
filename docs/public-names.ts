/**
 * `npm run docs`: the public names of every door with the first sentence of their doc comments, written into
 * architecture.md between two marks. Names are read by the compiler, so types count as well.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = fileURLToPath(new URL("architecture.md", import.meta.url));
const MARKS = ["<!-- public names: npm run docs -->", "<!-- end of public names -->"] as const;

/** Doors in the order of the page; a door that holds another one's names lists only its own. */
const DOORS = [
  { door: ".", file: "src/index.ts" },
  { door: "./node", file: "src/node/index.ts", holds: "src/index.ts" },
  { door: "./web", file: "src/web/index.ts", holds: "src/index.ts" },
  { door: "./track", file: "src/track/index.ts" },
  { door: "./three", file: "src/web/three/index.ts" },
  { door: "./search", file: "src/search/index.ts" },
  { door: "./search in Node", file: "src/node/search/index.ts", holds: "src/search/index.ts" },
  { door: "./jobs", file: "src/node/jobs/index.ts" },
  { door: "./train", file: "src/train/index.ts" },
  { door: "./train in Node", file: "src/node/train/index.ts", holds: "src/train/index.ts" },
  { door: "./bench", file: "src/bench/index.ts" },
  { door: "./bench in Node", file: "src/node/bench/index.ts", holds: "src/bench/index.ts" },
].filter(({ file }) => ts.sys.fileExists(ROOT + file));

function main(): void {
  const config = ts.getParsedCommandLineOfConfigFile(`${ROOT}tsconfig.json`, {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(String(diagnostic.messageText));
    },
  } as ts.ParseConfigFileHost) as ts.ParsedCommandLine;
  const program = ts.createProgram(
    DOORS.map(({ file }) => ROOT + file),
    config.options,
  );
  const checker = program.getTypeChecker();
  const namesOf = (file: string): ts.Symbol[] => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(ROOT + file) as ts.SourceFile);
    return checker.getExportsOfModule(module as ts.Symbol);
  };
  const missing: string[] = [];
  const parts = DOORS.map(({ door, file, holds }) => {
    const known = new Set(holds ? namesOf(holds).map(({ name }) => name) : []);
    const lines = namesOf(file)
      .filter(({ name }) => !known.has(name) && name !== "default")
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((symbol) => {
        const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        const text = firstSentence(ts.displayPartsToString(target.getDocumentationComment(checker)));
        if (text === "") missing.push(`${symbol.name} (${door})`);
        return `- \`${symbol.name}\`${text && `: ${text}`}`;
      });
    const also = holds ? ` All of \`${DOORS.find((other) => other.file === holds)?.door}\`, and:` : "";
    return `**\`${door}\`**${also}\n\n${lines.join("\n")}`;
  });
  const page = readFileSync(PAGE, "utf8");
  const [from, to] = MARKS.map((mark) => page.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${PAGE} lacks the marks ${MARKS.join(" and ")}`);
  writeFileSync(PAGE, `${page.slice(0, from + MARKS[0].length)}\n\n${parts.join("\n\n")}\n\n${page.slice(to)}`);
  if (missing.length > 0) console.log(`without a doc comment: ${missing.join(", ")}`);
}

/** Up to the first full stop before a space, without line breaks. */
function firstSentence(comment: string): string {
  const text = comment.replace(/\s+/g, " ").trim();
  const [sentence] = text.match(/^.*?[.:;](?=\s|$)/) ?? [text];
  return sentence.replace(/[.:;]$/, "");
}

main();
