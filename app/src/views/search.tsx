/** Which of the reader's pictures a photograph shows: an index that the browser keeps. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { IndexInfo, SearchResult } from "../../../src/search/index.js";
import { describeProgress, engine } from "../engine.js";
import { FileButton, FileDrop } from "../files.js";
import { PhotoSlot, Progress } from "../parts.js";
import { closePhoto, encodePhoto, openPhoto, type Photo } from "../photos.js";
import { drawSamples } from "../samples.js";
import { drawFind, embedQuery } from "../search/drawn-find.js";
import { type Added, type NamedFile, PhotoIndex, photographsAmong } from "../search/photo-index.js";
import { openPlaces } from "../search/place.js";
import { readSettings } from "../settings.js";
import { download, messageOf, useWork, type ViewProps } from "../view.js";

/** Walls that are drawn for a first try. */
const SAMPLES = [7, 11, 19, 23, 31, 43];

interface Found extends SearchResult {
  /** `blob:` of the drawing; null where there is nothing to show. */
  href: string | null;
  isKept: boolean;
}

export function SearchView({ settings: given }: ViewProps) {
  const { backend } = readSettings(given);
  const [index, setIndex] = useState<PhotoIndex | null>(null);
  const [info, setInfo] = useState<IndexInfo | null>(null);
  const [query, setQuery] = useState<Photo | null>(null);
  const [doing, setDoing] = useState("");
  const [share, setShare] = useState<number | null>(null);
  const [failure, setFailure] = useState("");
  const [told, setTold] = useState("");
  const [control, setControl] = useState<AbortController | null>(null);
  /** Who wants to know that a model is being opened. */
  const telling = useRef<(doing: string) => void>(() => {});

  useEffect(() => {
    const opening = openPlaces().then((places) =>
      PhotoIndex.open(places, (model, { model: _, ...extraction }) =>
        engine({ model, backend, extraction }, (progress) => telling.current(describeProgress(model, progress))),
      ),
    );
    opening.then(
      (opened) => {
        setIndex(opened);
        setInfo(opened.info);
      },
      (error) => setFailure(messageOf(error)),
    );
    return () => void opening.then((opened) => opened.close()).catch(() => {});
  }, []);

  /** One thing at a time; what failed is told, and what the index is afterwards. */
  const run = async (
    what: string,
    work: (index: PhotoIndex, signal: AbortSignal) => Promise<string>,
  ): Promise<void> => {
    if (!index || control) return;
    const own = new AbortController();
    setControl(own);
    telling.current = setDoing;
    setDoing(what);
    setTold("");
    setFailure("");
    try {
      setTold(await work(index, own.signal));
    } catch (error) {
      setFailure(own.signal.aborted ? "Stopped; what was added before stays." : messageOf(error));
    } finally {
      telling.current = () => {};
      setControl(null);
      setDoing("");
      setShare(null);
      setInfo(index.info);
    }
  };
  const add = (files: readonly NamedFile[]) =>
    run("adding pictures", async (to, signal) => {
      if (files.length === 0) throw new Error("There is no picture among these files.");
      const onProgress = ({ done, total }: { done: number; total: number }): void => {
        setDoing(`adding pictures, ${done} of ${total}`);
        setShare(done / total);
      };
      return describeAdded(await to.add(files, { signal, onProgress }));
    });
  const samples = async (): Promise<void> => {
    const files = SAMPLES.map((seed) => ({
      id: `samples/wall-${seed}.jpg`,
      file: async () => encodePhoto((await drawSamples(seed)).a, "image/jpeg"),
    }));
    await add(files);
    if (query) return;
    try {
      const shot = await encodePhoto((await drawSamples(SAMPLES[0])).b, "image/jpeg");
      setQuery(await openPhoto(shot, "a photograph of one of them"));
    } catch (error) {
      setFailure(messageOf(error));
    }
  };
  const replaceQuery = (photo: Photo): void =>
    setQuery((before) => {
      closePhoto(before);
      return photo;
    });

  const images = info?.images ?? 0;
  const work = useWork<{ found: Found[]; seconds: number; verified: number }>(
    index && query && images > 0 && !control
      ? async (signal, tell) => {
          telling.current = tell;
          tell("looking for it");
          const started = performance.now();
          const { results, verified } = await index.search(query, signal);
          const seconds = (performance.now() - started) / 1000;
          const own = await embedQuery(query);
          const found: Found[] = [];
          for (const result of results) {
            const { drawing, isKept } = await drawFind(index, result, own);
            found.push({ ...result, href: drawing && URL.createObjectURL(drawing), isKept });
          }
          return { found, seconds, verified };
        }
      : null,
    [index, query, info, control === null],
  );
  useEffect(
    () => () => {
      for (const { href } of work.result?.found ?? []) if (href) URL.revokeObjectURL(href);
    },
    [work.result],
  );
  const busy = !index || control !== null;
  return (
    <>
      <h1>Search</h1>
      <p class="lead">
        Which of your pictures does a photograph show? The pictures and their index stay in this browser.
      </p>
      <div class="search">
        <FileDrop label="Your pictures" onFiles={(files) => add(photographsAmong(files))}>
          <h2>Your pictures</h2>
          <p class="note">{describeIndex(info)}</p>
          {index?.notKept && <p class="note">{index.notKept}</p>}
          <div class="choice">
            <FileButton accept="image/*" multiple disabled={busy} onFiles={(files) => add(photographsAmong(files))}>
              Add pictures
            </FileButton>
            <FileButton folder disabled={busy} onFiles={(files) => add(photographsAmong(files))}>
              Add a folder
            </FileButton>
            <button type="button" disabled={busy} onClick={samples}>
              Try samples
            </button>
          </div>
          <div class="choice">
            <button
              type="button"
              disabled={busy || images === 0}
              onClick={() =>
                run("saving the index", async (from) => {
                  download(await from.save(), "photos.index.zip");
                  return "Saved: unpacked, it is what strata search opens.";
                })
              }
            >
              Save index
            </button>
            <FileButton
              accept=".zip"
              disabled={busy}
              onFiles={(files) => run("opening the index", (to) => to.load(files).then(() => "Opened."))}
            >
              Open a saved index
            </FileButton>
            <FileButton
              folder
              disabled={busy}
              onFiles={(files) => run("opening the index", (to) => to.load(files).then(() => "Opened."))}
            >
              Open an index folder
            </FileButton>
            <button
              type="button"
              disabled={busy || images === 0}
              onClick={() => {
                if (confirm(`Take all ${images} pictures out of the index? The files themselves stay where they are.`))
                  run("emptying the index", (from) => from.clear().then(() => ""));
              }}
            >
              Empty
            </button>
          </div>
          <progress aria-label="Pictures added" max="1" value={share ?? 0} hidden={share === null} />
          <Progress doing={doing} failure={failure} told={told} stop={() => control?.abort(new Error("stopped"))} />
        </FileDrop>
        <PhotoSlot label="Photograph" photo={query} onPhoto={replaceQuery} />
      </div>
      {query && images === 0 && !busy && <p class="note">Add pictures to look for it among them.</p>}
      <Progress {...work} />
      {work.result && <Results {...work.result} images={images} />}
    </>
  );
}

function Results({
  found,
  seconds,
  verified,
  images,
}: {
  found: Found[];
  seconds: number;
  verified: number;
  images: number;
}) {
  const hits = found.filter((one) => one.found);
  const others = found.filter((one) => !one.found);
  return (
    <section aria-label="What was found">
      <p class="verdict" data-verdict={hits.length > 0 ? "same" : "different"}>
        {hits.length > 0
          ? `Found: ${hits.map(({ id }) => id).join(", ")}`
          : found.length > 0
            ? "None of the pictures is called the same; the most alike are below."
            : "No picture shares anything with it."}
      </p>
      <p class="times">
        {images} pictures in {seconds.toFixed(2)} s; the geometry of {verified} looked at
      </p>
      <ul class="results">
        {[...hits, ...others].map((one) => (
          <ResultRow key={one.id} {...one} />
        ))}
      </ul>
    </section>
  );
}

function ResultRow({ id, found, probability, inliers, score, geometry, href, isKept }: Found) {
  return (
    <li class={found ? "found" : ""}>
      {href ? (
        <img src={href} alt={geometry ? `${id} beside the photograph, with ${inliers} points that fit` : id} />
      ) : (
        <p class="hint">not kept here</p>
      )}
      <p>
        <strong>{id}</strong>
      </p>
      <p class="note">
        {found ? "found" : "not found"}, probability {probability.toFixed(2)}, {inliers} points fit, score{" "}
        {score.toFixed(3)}
        {!isKept && "; the picture itself is not in this browser: add it to see it"}
      </p>
    </li>
  );
}

function describeIndex(info: IndexInfo | null): string {
  if (!info || info.images === 0) return "None yet. Add files or a folder, or drop them here.";
  return `${info.images} pictures, ${(info.bytes / 1e6).toFixed(1)} MB of index, features of ${info.model.name}`;
}

function describeAdded({ added, unchanged, failures }: Added): string {
  const parts = [`${added} added`];
  if (unchanged > 0) parts.push(`${unchanged} there already`);
  if (failures.length > 0) parts.push(`${failures.length} not read: ${failures.slice(0, 5).join("; ")}`);
  return parts.join(", ");
}
