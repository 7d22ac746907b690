/** What the network makes of a picture: its scores, and what each level adds. Traced when it is asked for. */
import { useEffect, useState } from "preact/hooks";
import { paintMap } from "../../src/picture/score-maps.js";
import { type Image, openExtractor } from "../../src/web/index.js";
import { modelOf } from "./own-models.js";
import { Progress } from "./parts.js";
import { encodePhoto, type Photo } from "./photos.js";
import { useWork } from "./view.js";

/** Longest edge at which a picture is looked at, in pixels: maps are for looking, and tracing keeps the page busy. */
const EDGE = 640;

interface Drawn {
  name: string;
  href: string;
}

export function ScoreMaps({ model, photo }: { model: string; photo: Photo }) {
  const [open, setOpen] = useState(false);
  const work = useWork<Drawn[]>(
    open
      ? async (signal, tell) => {
          tell("loading what traces networks");
          const { compile } = await import("../../src/graph/compile.js");
          signal.throwIfAborted();
          tell("tracing the network");
          const given = {
            model: modelOf(model),
            compile,
            worker: false,
            backend: "wasm",
            maxEdge: EDGE,
            signal,
          } as const;
          const extractor = await openExtractor(given);
          try {
            const views = await extractor.views?.(photo.image);
            if (!views) throw new Error(`${model} has no maps to show`);
            const all: Drawn[] = [];
            for (const { name, map, top } of views.maps) all.push({ name, href: await hrefOf(paintMap(map, top)) });
            return all;
          } finally {
            await extractor.dispose();
          }
        }
      : null,
    [open, model, photo],
  );
  useEffect(
    () => () => {
      for (const { href } of work.result ?? []) URL.revokeObjectURL(href);
    },
    [work.result],
  );
  return (
    <details class="maps" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Score maps of {photo.name}</summary>
      {open && <Progress {...work} />}
      <div class="map-list">
        {(work.result ?? []).map(({ name, href }) => (
          <figure key={name}>
            <img src={href} alt={`${name}, dark to light`} />
            <figcaption>{name}</figcaption>
          </figure>
        ))}
      </div>
    </details>
  );
}

const hrefOf = async (image: Image): Promise<string> => URL.createObjectURL(await encodePhoto(image));
