/** The page of `strata duplicates --html`: the pictures of each group beside each other, with the reasons. */
import { basename } from "node:path";
import { checkList, checkObject, checkTexts } from "../../check.js";
import { escapeXml } from "../../escape.js";
import { checkNumber } from "../../options.js";
import { reportPage } from "../../report/document.js";
import type { DuplicateGroup, DuplicatePair } from "../../search/duplicates.js";
import { checkPath, writeFileAtomic } from "../atomic.js";
import { loadImage } from "../images.js";
import { embedded, PAGE_STYLE } from "./page-images.js";

const EDGE = 320;

const REASONS: Record<DuplicatePair["reason"], string> = {
  identical: "the same bytes",
  same: "the same picture",
  part: "the first is a part of the second",
  overlap: "they overlap",
};

/** Writes the page; pictures are read from the paths that their ids are. */
export async function saveDuplicatesPage(
  path: string,
  groups: readonly DuplicateGroup[],
  images: number,
): Promise<void> {
  checkPath("saveDuplicatesPage", path);
  checkNumber("saveDuplicatesPage", "images", images, { min: 0, integer: true });
  checkList("saveDuplicatesPage", "groups", groups);
  const chapters = [];
  for (const [i, group] of groups.entries()) {
    checkObject("saveDuplicatesPage", "a group", group);
    checkTexts("saveDuplicatesPage", "ids of a group", group.ids);
    checkList("saveDuplicatesPage", "pairs of a group", group.pairs);
    chapters.push({
      id: `g${i + 1}`,
      title: `Group ${i + 1}: ${group.ids.length} images`,
      body: await groupBody(group),
    });
  }
  await writeFileAtomic(
    path,
    reportPage({
      title: "Duplicates",
      subtitle: `${groups.length} groups among ${images} images; nothing was deleted`,
      notes: [],
      chapters,
      style: PAGE_STYLE,
    }),
  );
}

async function groupBody({ ids, pairs }: DuplicateGroup): Promise<string> {
  const figures: string[] = [];
  for (const id of ids) {
    const name = escapeXml(id);
    try {
      const image = await loadImage(id, { onWarning: () => {} });
      const { href, width, height } = await embedded(image, basename(id), EDGE);
      figures.push(
        `<figure><img src="${href}" alt="${name}"><figcaption><bdi>${name}</bdi>, ${width}×${height}</figcaption></figure>`,
      );
    } catch (error) {
      figures.push(
        `<figure><figcaption><bdi>${name}</bdi>: ${escapeXml((error as Error).message)}</figcaption></figure>`,
      );
    }
  }
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const rows = pairs.map(({ a, b, reason, inliers, shared }) => {
    const parts = shared ? `; ${percent(shared[0])} and ${percent(shared[1])} in common, ${inliers} inliers` : "";
    return `<li><bdi>${escapeXml(a)}</bdi>, <bdi>${escapeXml(b)}</bdi>: ${REASONS[reason]}${parts}</li>`;
  });
  return `<div class="row">${figures.join("")}</div><ul>${rows.join("")}</ul>`;
}
