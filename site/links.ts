/** Links of pages that are read in the repository too: what the site has no page for is shown there. */
import { existsSync } from "node:fs";
import { dirname, posix, relative, resolve } from "node:path";

export const REPOSITORY = "https://github.com/strata-features/strata";

/** Folders and files of the repository, from its root, that are pages of the site as they are. */
export const PAGES =
  /^(?:docs\/[^/]+\.md|models\/[^/]+\/CARD\.md|CONTRIBUTING\.md|FEATURES\.md|CHANGELOG\.md|site\/.+\.md)$/;

/**
 * Where a relative link of the page `from` (a file of the repository `root`) leads: to another page as it stands, else to the
 * repository. A file that is not there is left as it is, for the site's build to name it.
 */
export function repositoryLink(link: string, from: string, root: string): string {
  if (/^(?:[a-z]+:|#|\/)/i.test(link)) return link;
  const [path, fragment] = link.split("#");
  const file = resolve(dirname(from), decodeURIComponent(path));
  const inside = relative(root, file).replaceAll("\\", "/");
  if (inside.startsWith("..") || PAGES.test(inside) || !existsSync(file)) return link;
  return `${REPOSITORY}/blob/main/${posix.normalize(inside)}${fragment ? `#${fragment}` : ""}`;
}
