/** The site: guides of its own, and what lies in the repository anyway (docs, model cards), taken from where it lies. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { REPOSITORY, repositoryLink } from "../links.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const GUIDES = [
  { text: "In Node", link: "/guide/node" },
  { text: "In a browser", link: "/guide/browser" },
  { text: "Augmented reality", link: "/guide/ar" },
  { text: "Search", link: "/guide/search" },
  { text: "Train on your photographs", link: "/guide/training" },
  { text: "COLMAP and hloc", link: "/guide/colmap" },
  { text: "Benchmark", link: "/guide/benchmark" },
];

const COMPARED = [
  { text: "OpenCV.js", link: "/compare/opencv" },
  { text: "MindAR", link: "/compare/mindar" },
  { text: "LightGlue", link: "/compare/lightglue" },
];

const MODELS = readdirSync(`${ROOT}models`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(`${ROOT}models/${entry.name}`).includes("CARD.md"))
  .map(({ name }) => ({ text: name, link: `/models/${name}/CARD` }));

/** Pages of docs/ in the order of their readers' questions. */
const DOCS = [
  {
    text: "What it does",
    items: [
      { text: "In a browser", link: "/docs/web" },
      { text: "Tracking", link: "/docs/track" },
      { text: "From MindAR", link: "/docs/from-mindar" },
      { text: "From 8th Wall", link: "/docs/from-8th-wall" },
      { text: "Search", link: "/docs/search" },
      { text: "Aligning images", link: "/docs/align" },
      { text: "The app", link: "/docs/app" },
      { text: "Two views and pose", link: "/docs/geometry" },
      { text: "Files and formats", link: "/docs/formats" },
      { text: "One ONNX file", link: "/docs/export" },
      { text: "Models", link: "/docs/models" },
    ],
  },
  {
    text: "At scale",
    items: [
      { text: "Large numbers", link: "/docs/scale" },
      { text: "Many machines", link: "/docs/jobs" },
      { text: "An index as a service", link: "/docs/serve" },
      { text: "An index's files", link: "/docs/search-format" },
    ],
  },
  {
    text: "Training and measuring",
    items: [
      { text: "Training", link: "/docs/training" },
      { text: "Training with Slurm", link: "/docs/cluster" },
      { text: "How the model was made", link: "/docs/model" },
      { text: "Benchmark", link: "/docs/benchmark" },
    ],
  },
  {
    text: "Behind it",
    items: [
      { text: "Architecture", link: "/docs/architecture" },
      { text: "Formulas", link: "/docs/reference" },
      { text: "Decisions", link: "/docs/decisions" },
      { text: "Contributing", link: "/CONTRIBUTING" },
      { text: "Every capability", link: "/FEATURES" },
      { text: "Changes", link: "/CHANGELOG" },
    ],
  },
];

/** What site/pages.ts has written, in its order. */
const GENERATED = JSON.parse(readFileSync(new URL("../generated/sidebar.json", import.meta.url), "utf8"));
const START = [
  { text: "Ten minutes each", items: GUIDES },
  { text: "Compared with", items: COMPARED },
];
const DOCUMENTS = [...DOCS, { text: "Model cards", items: MODELS }];

export default defineConfig({
  title: "strata",
  description:
    "Local image features for TypeScript: match, track, search and align pictures in Node and in the browser.",
  lang: "en",
  srcDir: ROOT,
  // Everything but the repository's pages.
  srcExclude: ["!(docs|models|site)/*/**", "README.md", "models/recipes/**", "site/dist/**", "site/public/**"],
  rewrites: { "site/generated/:path*": ":path*", "site/:path*": ":path*" },
  cacheDir: fileURLToPath(new URL("../../node_modules/.cache/vitepress", import.meta.url)),
  outDir: fileURLToPath(new URL("../dist", import.meta.url)),
  head: [["link", { rel: "icon", href: "data:," }]],
  // GitHub's pages are read there; a build needs no network.
  markdown: {
    // The usual ones have less contrast than text needs.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config(markdown) {
      markdown.core.ruler.push("repository-links", (state) => {
        const { realPath, path } = state.env as { realPath?: string; path: string };
        for (const block of state.tokens) {
          for (const token of block.children ?? []) {
            const href = token.type === "link_open" ? token.attrGet("href") : null;
            if (href) token.attrSet("href", repositoryLink(href, realPath ?? path, ROOT));
          }
        }
      });
    },
  },
  vite: {
    publicDir: fileURLToPath(new URL("../public", import.meta.url)),
    build: { chunkSizeWarningLimit: 8000 },
    // Not the pages of examples and tests, which lie below the same root.
    optimizeDeps: { entries: ["site/.vitepress/theme/index.ts"] },
    plugins: [
      {
        // VitePress's server adds what stands in `head` by script, after browsers have asked for an icon.
        name: "icon",
        configureServer: ({ middlewares }) => {
          middlewares.use(
            "/favicon.ico",
            (_, response) => void response.writeHead(302, { Location: "/icon.svg" }).end(),
          );
        },
      },
    ],
  },
  themeConfig: {
    logo: { src: "/icon.svg", alt: "" },
    nav: [
      { text: "Guide", link: "/guide/node", activeMatch: "^/(?:guide|compare)/" },
      { text: "Documents", link: "/docs/web", activeMatch: "^/(?:docs|models)/" },
      { text: "Commands", link: "/commands/", activeMatch: "^/commands/" },
      { text: "API", link: "/api/core", activeMatch: "^/api/" },
      { text: "App", link: "/app/index.html", target: "_self" },
    ],
    sidebar: {
      "/guide/": START,
      "/compare/": START,
      "/docs/": DOCUMENTS,
      "/models/": DOCUMENTS,
      "/CONTRIBUTING": DOCUMENTS,
      "/FEATURES": DOCUMENTS,
      "/CHANGELOG": DOCUMENTS,
      "/commands/": GENERATED.commands,
      "/api/": GENERATED.api,
    },
    search: { provider: "local" },
    outline: { level: [2, 3] },
    footer: { message: "Apache-2.0, code and weights. Nothing on this site comes from another host." },
    editLink: { pattern: `${REPOSITORY}/blob/main/:path`, text: "This page in the repository" },
  },
});
