/**
 * VitePress builds for one folder of a server, its base. Here the base is a placeholder; afterwards every page finds its own
 * way to the top, so that the same files work in any folder.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The base while VitePress builds: no text of a page has it. */
export const PLACEHOLDER = "/__strata_site__/";

/** As the scripts ask for it; the page's first script has set it. */
const BASE = "(__VP_SITE_DATA__.base)";

/** Takes the placeholder out of all pages, scripts and styles of the folder. */
export async function anyFolder(out: string): Promise<void> {
  for (const entry of await readdir(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const change = /\.html$/.test(path) ? inPage : /\.js$/.test(path) ? inScript : /\.css$/.test(path) ? inStyle : null;
    if (!change) continue;
    const text = await readFile(path, "utf8");
    if (!text.includes(PLACEHOLDER)) continue;
    const depth = path.slice(out.length + 1).split(/[\\/]/).length - 1;
    const changed = change(text, depth === 0 ? "./" : "../".repeat(depth));
    if (changed.includes(PLACEHOLDER)) throw new Error(`${path}: the site's base is still in it`);
    await writeFile(path, changed);
  }
}

/**
 * A page: links and files relative to itself. The script turns links into whole ones before VitePress takes over, for it
 * changes the address without loading pages anew.
 */
function inPage(text: string, top: string): string {
  const script = `<script>{const b=new URL(${JSON.stringify(top)},location.href).pathname;__VP_SITE_DATA__.base=b;for(const e of document.querySelectorAll("a[href],img[src]"))for(const n of["href","src"]){const v=e.getAttribute(n);if(v&&!/^(?:[a-z]+:|#|\\/)/i.test(v))e.setAttribute(n,new URL(v,location.href).pathname+new URL(v,location.href).hash)}}</script>`;
  return text
    .replace(/\\"base\\":\\"[^"\\]*\\"/, '\\"base\\":\\"/\\"')
    .replace(/(?<=href=")\/__strata_site__\/(?:[^"#]*\/)?(?=["#])/g, (folder) => `${folder}index.html`)
    .replaceAll(PLACEHOLDER, top)
    .replace("</body>", () => `${script}</body>`);
}

/** A script: texts that begin with the base, and the search index, which has it within one. */
function inScript(text: string): string {
  return text
    .replace(/^const (\w+)=([\s\S]*);export\{\1 as default\};?\s*$/, (whole, name: string, value: string) =>
      value.includes("documentIds")
        ? `const ${name}=${value.replaceAll(PLACEHOLDER, "/@base@/")}.replaceAll("/@base@/",${BASE});export{${name} as default};`
        : whole,
    )
    .replace(/(["'`])\/__strata_site__\/\1/g, BASE)
    .replace(/(["'`])\/__strata_site__\//g, `${BASE}+$1`);
}

const inStyle = (text: string): string => text.replaceAll(PLACEHOLDER, "../");
