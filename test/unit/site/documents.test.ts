/** What README, documents and guides print can be typed: commands parse, and TypeScript that comes from no file fits the doors. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { program } from "../../../site/commands.js";
import { normalizeFlags } from "../../../src/cli/flags.js";
import { blocksOf, strataLines, words } from "./pages.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const markdown = (folder: string): string[] =>
  readdirSync(ROOT + folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}${name}`);
const cards = readdirSync(`${ROOT}models`)
  .map((name) => `models/${name}/`)
  .filter((folder) => !/\.\w+\/$/.test(folder))
  .flatMap(markdown);
const PAGES = [
  ...["README.md", "CONTRIBUTING.md", "FEATURES.md", "site/index.md"],
  ...[...markdown("docs/"), ...markdown("site/guide/"), ...markdown("site/compare/"), ...cards],
];
const read = (page: string): string => readFileSync(ROOT + page, "utf8");

/** Why the command line refuses these words; null where it takes them. Nothing is run. */
function refusal(line: readonly string[]): string | null {
  const strata = program();
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
    if (command.commands.length === 0) command.action(() => {});
    command.commands.forEach(quiet);
  };
  quiet(strata);
  try {
    strata.parse(normalizeFlags(line.slice(1)).arguments, { from: "user" });
    return null;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === "commander.helpDisplayed" || code === "commander.version" ? null : message;
  }
}

describe("commands", () => {
  it("are read as a shell reads them", () => {
    expect(words(`strata match "a b.jpg" 'c d.jpg' --json # a remark`)).toEqual([
      "strata",
      "match",
      "a b.jpg",
      "c d.jpg",
      "--json",
    ]);
    expect(words("# nothing")).toEqual([]);
    expect(strataLines("```sh\nstrata info \\\n  --json\nls\n```\n```ts\nstrata no\n```\n")).toEqual([
      ["strata", "info", "--json"],
    ]);
    expect(refusal(["strata", "match", "a.jpg", "b.jpg", "--no-such"])).toMatch(/unknown option '--no-such'/);
    expect(refusal(["strata", "match", "a.jpg"])).toMatch(/missing required argument/);
    expect(refusal(["strata", "mach", "a.jpg"])).toMatch(/unknown command/);
  });

  it("parse, in every document", () => {
    const lines = PAGES.flatMap((page) => strataLines(read(page)).map((line) => [page, line] as const));
    expect(lines.length).toBeGreaterThan(60);
    const refused = lines
      .map(([page, line]) => [page, line.join(" "), refusal(line)])
      .filter(([, , why]) => why !== null);
    expect(refused).toEqual([]);
  });
});

describe("TypeScript", () => {
  /** Blocks by a name of a file; what a block takes as given stands in a comment of the page before it. */
  const blocks = new Map<string, string>();
  for (const page of PAGES) {
    for (const { language, comment, text } of blocksOf(read(page))) {
      // A sketch is a part of sources that are not there, shown to tell where something is added.
      if (language !== "ts" || comment === "a sketch") continue;
      const given = comment.startsWith("given: ") ? comment.slice(7) : "";
      blocks.set(`${ROOT}${page}.${blocks.size}.mts`, `${given}\n${text}\nexport {};\n`);
    }
  }

  const samples = readdirSync(`${ROOT}site/samples`)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${ROOT}site/samples/${name}`);

  it("fits the doors of the built package, in every document and sample", () => {
    expect(blocks.size).toBeGreaterThan(10);
    const options: ts.CompilerOptions = {
      ...{
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
      },
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: ["node"] },
      lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    };
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile, getSourceFile } = host;
    host.fileExists = (path) => blocks.has(path) || fileExists(path);
    host.readFile = (path) => blocks.get(path) ?? readFile(path);
    host.getSourceFile = (path, target) => {
      const block = blocks.get(path);
      return block === undefined ? getSourceFile(path, target) : ts.createSourceFile(path, block, target);
    };
    const compiled = ts.createProgram([...blocks.keys(), ...samples], options, host);
    const wrong = [...blocks.keys(), ...samples].flatMap((path) => {
      const source = compiled.getSourceFile(path);
      return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map(
        ({ messageText }) => `${path.slice(ROOT.length)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
      );
    });
    expect(wrong).toEqual([]);
  });
});
