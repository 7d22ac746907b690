/** The page to try the service: a picture is searched for, or put into the index. Needs nothing but the service. */

/** The security policy that the page works under. */
export const PAGE_POLICY =
  "default-src 'none'; connect-src 'self'; img-src blob: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>strata: find the picture</title><link rel="icon" href="data:,">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
label{display:block;margin:.6rem 0}input[type=text],input[type=password]{width:20rem;max-width:100%}
img{max-width:100%;max-height:20rem}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #8888;padding:.3rem .6rem;text-align:left}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}
</style></head><body>
<h1>Find the picture</h1>
<p id="state" role="status">…</p>
<label>Token, if the service asks for one <input id="token" type="password" autocomplete="off"></label>
<label>Picture <input id="file" type="file" accept="image/*"></label>
<p><img id="shown" alt="" hidden></p>
<p><button id="search">Search</button>
<label>Name in the index <input id="name" type="text"></label><button id="add">Add to the index</button></p>
<div id="results" aria-live="polite"></div>
<p><a href="/docs">The interface in full</a></p>
<script>
const get = (id) => document.getElementById(id);
const chosen = () => { const [file] = get("file").files; if (!file) throw new Error("choose a picture first"); return file; };
async function ask(method, path, body) {
  const headers = {};
  if (get("token").value) headers.Authorization = "Bearer " + get("token").value;
  if (body) headers["Content-Type"] = body.type || "application/octet-stream";
  const answer = await fetch(path, { method, headers, body });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.message);
  return value;
}
async function state() {
  try { const { images } = await ask("GET", "/health"); get("state").textContent = images + " images in the index"; }
  catch (error) { get("state").textContent = error.message; }
}
function row(cells, tag) {
  const line = document.createElement("tr");
  for (const text of cells) line.append(Object.assign(document.createElement(tag), { textContent: text }));
  return line;
}
async function run(work) {
  const out = get("results");
  out.textContent = "…";
  try { out.replaceChildren(await work()); } catch (error) { out.textContent = error.message; }
  state();
}
get("file").onchange = () => {
  const [file] = get("file").files;
  get("shown").hidden = !file;
  if (!file) return;
  get("shown").src = URL.createObjectURL(file);
  get("name").value = file.name;
};
get("search").onclick = () => run(async () => {
  const { results } = await ask("POST", "/search", chosen());
  const table = document.createElement("table");
  table.append(row(["", "image", "probability", "inliers", "score"], "th"));
  for (const one of results) table.append(row([one.found ? "found" : "", one.id, one.probability.toFixed(2), one.inliers, one.score.toFixed(3)], "td"));
  return results.length ? table : "nothing alike is in the index";
});
get("add").onclick = () => run(async () => {
  const { id, keypoints } = await ask("POST", "/images?id=" + encodeURIComponent(get("name").value), chosen());
  return id + " is in the index, with " + keypoints + " keypoints";
});
state();
</script></body></html>
`;
