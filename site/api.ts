/** The reference of the API: a page for each door of package.json's exports, written by TypeDoc from the sources' comments. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, type ProjectReflection } from "typedoc";
import { REPOSITORY } from "./links.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface Door {
  /** What is imported: "strata-features/search". */
  name: string;
  /** Its file among the sources, from the repository's root. */
  source: string;
  /** Name of its page. */
  page: string;
}

/** The doors in the order of package.json; where Node has another one, both. The same types are told once. */
export function doors(): Door[] {
  const { name, exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const found: Door[] = [];
  for (const [path, entry] of Object.entries<{ types?: string; node?: { types: string } }>(exports)) {
    if (!entry.types) continue;
    const door = name + path.slice(1);
    const add = (types: string, suffix: string, title: string) => {
      const source = types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts");
      if (!existsSync(ROOT + source)) throw new Error(`package.json: ${types} has no source ${source}`);
      if (found.some((other) => other.source === source)) return;
      found.push({ name: title, source, page: (path.slice(2).replaceAll("/", "-") || "core") + suffix });
    };
    add(entry.types, "", door);
    if (entry.node) add(entry.node.types, "-node", `${door} in Node`);
  }
  return found;
}

/** Writes the pages into the folder. Types are not checked again: `npm run types` does that. */
export async function writeApi(out: string): Promise<void> {
  const entries = doors();
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    outputs: [{ name: "markdown", path: out }],
    entryPoints: entries.map(({ source }) => ROOT + source),
    tsconfig: `${ROOT}tsconfig.build.json`,
    basePath: ROOT,
    skipErrorChecking: true,
    excludePrivate: true,
    excludeExternals: true,
    excludeInternal: true,
    disableGit: true,
    gitRevision: "main",
    sourceLinkTemplate: `${REPOSITORY}/blob/main/src/{path}#L{line}`,
    readme: "none",
    logLevel: "Error",
    validation: { notExported: false, invalidLink: false, rewrittenLink: false },
    // Of the plugin.
    ...{ outputFileStrategy: "modules", entryFileName: "index", hidePageHeader: true, hideBreadcrumbs: true },
    ...{ useCodeBlocks: false, parametersFormat: "table", interfacePropertiesFormat: "table", sanitizeComments: true },
  } as Parameters<typeof Application.bootstrapWithPlugins>[0]);
  const project = await app.convert();
  if (!project) throw new Error("TypeDoc found nothing to write about");
  nameDoors(project, entries);
  await app.generateOutputs(project);
  // The title of a page is what is imported; its file has a plainer name. VitePress's anchors have no underscores.
  for (const { name, page } of entries) {
    const path = join(out, `${page}.md`);
    const text = readFileSync(path, "utf8").replace(/^# .*/, `# ${name}`);
    writeFileSync(
      path,
      text.replace(/\]\([\w.-]*#[\w-]+\)/g, (link) => link.replaceAll("_", "-")),
    );
  }
  const list = entries.map(({ name, source, page }) => `| [\`${name}\`](./${page}.md) | ${purpose(source)} |`);
  writeFileSync(
    join(out, "index.md"),
    `# API\n\nOne page for each door of the package.\n\n| import | |\n|---|---|\n${list.join("\n")}\n`,
  );
}

/** The first comment of a door's file. */
function purpose(source: string): string {
  const [, comment = ""] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(ROOT + source, "utf8")) ?? [];
  return comment
    .replace(/^\s*\*/gm, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** TypeDoc calls a module as its file; readers know it by what they import. */
function nameDoors(project: ProjectReflection, entries: readonly Door[]): void {
  for (const child of project.children ?? []) {
    const path = child.sources?.[0]?.fileName ?? "";
    const door = entries.find(
      ({ source }) => path.endsWith(source) && source.endsWith(path.replace(/^.*?src\//, "src/")),
    );
    if (!door) throw new Error(`no door has the file ${path}`);
    child.name = door.page;
  }
}
