/** What the site says that nobody writes by hand: a page for each command, one for each door of the API, the app itself. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { doors, writeApi } from "./api.js";
import { commandPages } from "./commands.js";

const SITE = fileURLToPath(new URL("./", import.meta.url));

/** Writes site/generated anew. */
export async function writePages(): Promise<void> {
  const out = `${SITE}generated`;
  await rm(out, { recursive: true, force: true });
  await mkdir(`${out}/commands`, { recursive: true });
  for (const [name, page] of commandPages()) await writeFile(`${out}/commands/${name}.md`, `${page}\n`);
  await writeApi(`${out}/api`);
  const items = (list: [text: string, link: string][]) => list.map(([text, link]) => ({ text, link }));
  const names = [...commandPages().keys()].filter((name) => name !== "index");
  const sidebar = {
    commands: [
      {
        text: "Commands",
        items: items([
          ["All commands", "/commands/"],
          ...names.map((name): [string, string] => [name.replace("-", " "), `/commands/${name}`]),
        ]),
      },
    ],
    api: [
      {
        text: "API",
        items: items([
          ["All doors", "/api/"],
          ...doors().map(({ name, page }): [string, string] => [name, `/api/${page}`]),
        ]),
      },
    ],
  };
  await writeFile(`${out}/sidebar.json`, JSON.stringify(sidebar));
}

/** The built app, where the first page shows it and `app/` of the site has it. */
export async function writeApp(): Promise<void> {
  const { build } = await import("vite");
  const configFile = fileURLToPath(new URL("../app/vite.config.ts", import.meta.url));
  await build({ configFile, logLevel: "error", build: { outDir: `${SITE}public/app`, emptyOutDir: true } });
}
