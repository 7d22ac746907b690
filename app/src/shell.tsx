/** What stands around every view: its name, the way to the others, and what the page promises. */
import { useEffect, useRef } from "preact/hooks";
import { later } from "./later.js";
import { missingHere } from "./needs.js";
import { Failure } from "./parts.js";
import { useRoute } from "./route.js";
import { AlignView } from "./views/align.js";
import { MatchView } from "./views/match.js";
import { ModelsView } from "./views/models.js";

const VIEWS = [
  { name: "match", title: "Match", View: MatchView },
  { name: "align", title: "Align", View: AlignView },
  { name: "track", title: "Track", View: later(async () => (await import("./views/track.js")).TrackView) },
  { name: "search", title: "Search", View: later(async () => (await import("./views/search.js")).SearchView) },
  { name: "models", title: "Models", View: ModelsView },
] as const;

export function Shell() {
  const missing = missingHere();
  const [route, change] = useRoute();
  const { name, title, View } = VIEWS.find((view) => view.name === route.view) ?? VIEWS[0];
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} – strata`;
    // Who goes to another view by keyboard goes on reading there; at the start nothing takes the focus.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [title]);
  return (
    <>
      <header>
        <button type="button" class="skip" onClick={() => main.current?.focus()}>
          To the content
        </button>
        <span class="brand">strata</span>
        <nav aria-label="Views">
          {VIEWS.map((view) => (
            <a key={view.name} href={`#/${view.name}`} aria-current={view.name === name ? "page" : undefined}>
              {view.title}
            </a>
          ))}
        </nav>
      </header>
      <main ref={main} tabIndex={-1}>
        {missing ? <Failure message={missing} /> : <View settings={route.settings} change={change} />}
      </main>
      <footer>Nothing leaves this device: the page can reach no other host than the one it came from.</footer>
    </>
  );
}
