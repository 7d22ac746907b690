/** Where the reader is and with which settings, in the address: #/match?model=strata-t. It can be kept and passed on. */
import { useLayoutEffect, useState } from "preact/hooks";

/** The view of an address that names none. */
const FIRST = "match";

export interface Route {
  view: string;
  settings: Readonly<Record<string, string>>;
}

export function readRoute(hash: string): Route {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { view: path || FIRST, settings: Object.fromEntries(new URLSearchParams(query)) };
}

export function routeHash({ view, settings }: Route): string {
  const query = new URLSearchParams(settings).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** The route as it is, and a way to change settings without a new entry in the history. */
export function useRoute(): [Route, (settings: Record<string, string | undefined>) => void] {
  const [route, setRoute] = useState(() => readRoute(location.hash));
  useLayoutEffect(() => {
    const changed = () => setRoute(readRoute(location.hash));
    addEventListener("hashchange", changed);
    // The address may have changed since the first look.
    if (routeHash(route) !== location.hash) changed();
    return () => removeEventListener("hashchange", changed);
  }, []);
  const change = (settings: Record<string, string | undefined>): void => {
    const all = Object.entries({ ...route.settings, ...settings }).filter(([, value]) => value !== undefined);
    const next = { view: route.view, settings: Object.fromEntries(all) as Record<string, string> };
    history.replaceState(null, "", routeHash(next));
    setRoute(next);
  };
  return [route, change];
}
