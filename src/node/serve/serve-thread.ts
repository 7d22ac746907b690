/**
 * A thread of the service. Readers search and match, each with an extractor and an open index of its own, which takes in what
 * was committed before every search. The writer adds and removes: what waits when it comes to commit is committed together,
 * and answered only then, so that what was confirmed is on the disk.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Extractor } from "../../extract/extractor.js";
import { setDefaultRuntime } from "../../graph/session.js";
import { matchJson } from "../../match-report.js";
import { matchImages } from "../../pair.js";
import { type ImageIndex, QUERY_EXTRACTION, searchImage } from "../../search/index.js";
import { searchVerdict } from "../../search/search-image.js";
import { DIGEST_BYTES } from "../../search/segment-format.js";
import { failureOf } from "../failure.js";
import { loadImage } from "../images.js";
import { nodeRuntime } from "../runtime.js";
import { openIndexAt } from "../search/index-place.js";
import { openIndexExtractor } from "../search/photo-index.js";
import { imageDigest } from "../stores/store.js";
import type { AddAnswer, Answers, FromThread, SearchAnswer, ThreadSetup, ToThread, Work } from "./work.js";

const { folder, isWriter, threads, pixelLimit } = workerData as ThreadSetup;
/** Images that are committed together at most. */
const BATCH = 50;

setDefaultRuntime(nodeRuntime);
const tell = (message: FromThread) => parentPort?.postMessage(message);
const waiting: Extract<ToThread, { id: number }>[] = [];
let wake = () => {};
let closing = false;

parentPort?.on("message", (message: ToThread) => {
  if (message === "close") closing = true;
  else waiting.push(message);
  wake();
});

async function serve(index: ImageIndex, extractor: Extractor): Promise<void> {
  for (;;) {
    const next = waiting.shift();
    if (next) await (isWriter ? write([next], index, extractor) : read(next, index, extractor));
    else if (closing) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

const decode = (bytes: Uint8Array, name: string) => loadImage(bytes, { pixelLimit, name, onWarning: () => {} });

async function read({ id, work }: { id: number; work: Work }, index: ImageIndex, extractor: Extractor): Promise<void> {
  try {
    tell({ type: "answer", id, value: await answerOf(work, index, extractor) });
  } catch (error) {
    tell({ type: "error", id, failure: failureOf(error) });
  }
}

async function answerOf(work: Work, index: ImageIndex, extractor: Extractor): Promise<Answers["search" | "match"]> {
  if (work.type === "match") {
    const [a, b] = [await decode(work.a, "a"), await decode(work.b, "b")];
    const { session, ...info } = extractor.info;
    return matchJson({
      ...(await matchImages(extractor, a, b)),
      paths: ["a", "b"],
      images: [a, b],
      info: { ...info, ...session },
    });
  }
  if (work.type !== "search") throw new Error(`a reader is no place for "${work.type}"`);
  const image = await decode(work.image, "the picture");
  await index.refresh();
  const { top, region, verify } = work;
  const verdict = searchVerdict(extractor) ?? undefined;
  const report = await searchImage(index, extractor, image, {
    ...{ top, region, verdict },
    ...(verify !== undefined && { verify }),
  });
  return {
    results: report.results.map(({ points: _, ...result }) => result),
    keypoints: report.features.count,
    images: index.info().images,
    verified: report.verified,
    damaged: report.damaged.map(({ file }) => file),
  } satisfies SearchAnswer;
}

/** Does what waits, commits once, and answers then. */
async function write(batch: { id: number; work: Work }[], index: ImageIndex, extractor: Extractor): Promise<void> {
  const answers: { id: number; value: Omit<AddAnswer, "images"> | { id: string; removed: boolean } }[] = [];
  const there = await index.entries();
  for (let next: { id: number; work: Work } | undefined = batch[0]; next; ) {
    const { id, work } = next;
    try {
      if (work.type === "add") {
        const image = await decode(work.image, "the picture");
        const features = await extractor.extract(image);
        const digest = imageDigest(work.image).slice(0, 2 * DIGEST_BYTES);
        await index.add({ id: work.id, features, digest });
        answers.push({ id, value: { id: work.id, keypoints: features.count, replaced: there.has(work.id) } });
        there.set(work.id, digest);
      } else if (work.type === "remove") {
        index.remove([work.id]);
        answers.push({ id, value: { id: work.id, removed: there.delete(work.id) } });
      }
    } catch (error) {
      tell({ type: "error", id, failure: failureOf(error) });
    }
    next = answers.length < BATCH ? waiting.shift() : undefined;
  }
  try {
    await index.commit();
    const { images, segments } = index.info();
    for (const { id, value } of answers) tell({ type: "answer", id, value: { ...value, images } });
    if (segments.length > MOST_SEGMENTS) await index.merge({ below: Math.max(2, Math.ceil(SMALL * images)) });
  } catch (error) {
    for (const { id } of answers) tell({ type: "error", id, failure: failureOf(error) });
  }
}

/** Small segments are put together where there are more than so many; small: with less than this share of all images. */
const MOST_SEGMENTS = 8;
const SMALL = 0.2;

async function open(): Promise<{ index: ImageIndex; extractor: Extractor }> {
  const index = await openIndexAt(folder, { write: isWriter });
  try {
    const closer = isWriter ? {} : QUERY_EXTRACTION;
    return { index, extractor: await openIndexExtractor(index, { ...closer, threads }) };
  } catch (error) {
    await index.close();
    throw error;
  }
}

try {
  const { index, extractor } = await open();
  tell({ type: "open", images: index.info().images, model: index.model.name });
  await serve(index, extractor);
  await index.close();
  await extractor.dispose();
  parentPort?.close();
} catch (error) {
  tell({ type: "failed-open", failure: failureOf(error) });
  parentPort?.close();
}
