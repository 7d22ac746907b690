import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** OpenCV's module is a promise; Vitest's default interop wraps it in a proxy on which `then` cannot be called. */
const deps = { interopDefault: false };

/** Ends what hangs, and nothing else: no test depends on how fast the machine is, so none has a limit of its own. */
const HANGS = 30 * 60_000;

/** What strata keeps for the next run, models and graphs, is kept apart from the user's. */
const STRATA_HOME = fileURLToPath(new URL("node_modules/.cache/strata-tests", import.meta.url));

const ONE_CORE = new URL("test/one-core.mjs", import.meta.url).href;

/** The kinds of proof, those with long files first: the short ones fill what is left at the end. */
const PROJECTS = ["package", "browser", "contract", "reference", "unit"];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) => PROJECTS.indexOf(project.name);
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** The package's doors in its sources, for the samples of the site, which import what a stranger imports. */
const { name, exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const alias = Object.entries<{ types?: string; node?: { types: string } }>(exports).flatMap(
  ([door, { node, types }]) => {
    const source = (node?.types ?? types)?.replace("./dist/", "./src/").replace(/\.d\.ts$/, ".ts");
    if (!source) return [];
    const find = new RegExp(`^${name}${door.slice(1)}$`);
    return [{ find, replacement: fileURLToPath(new URL(source, import.meta.url)) }];
  },
);

/** One project per kind of proof; `npm test` runs them all, `npm run unit` and the like run one. */
const project = (name: string, extra: Record<string, unknown> = {}) => ({
  ...(name === "unit" && { resolve: { alias } }),
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: HANGS,
    hookTimeout: HANGS,
    expect: { poll: { timeout: HANGS / 2 } },
    deps,
    // Also for the processes that tests start.
    env: { STRATA_HOME, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${ONE_CORE}` },
    ...extra,
  },
});

export default defineConfig({
  test: {
    projects: PROJECTS.map((name) => project(name, name === "unit" ? { execArgv: ["--expose-gc"] } : {})),
    sequence: { sequencer: LongFirst },
    // Two cores is the smallest machine this runs on; more workers only fight over the runtime's threads.
    maxWorkers: 2,
  },
});
