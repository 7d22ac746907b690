/** Two photographs, A and B, that begin as samples; and the choice of the model that looks at them. */
import { useEffect, useState } from "preact/hooks";
import { modelNames } from "./own-models.js";
import { Failure, PhotoSlot, Select } from "./parts.js";
import { closePhoto, type Photo } from "./photos.js";
import { firstPhoto, samplePhotos } from "./samples.js";
import { DEFAULTS, EDGES, type Settings } from "./settings.js";
import { messageOf, type ViewProps } from "./view.js";

type Pair = [Photo | null, Photo | null];

export interface PhotoPair {
  pair: Pair;
  /** Puts a photograph in the place of A (0) or B (1), which is let go; the other may have changed since the page was drawn. */
  replace(which: 0 | 1, photo: Photo): void;
  /** Puts other samples in their place. */
  drawOthers(): void;
  /** Why there are no samples; empty where nothing went wrong. */
  failure: string;
}

export function usePhotoPair(): PhotoPair {
  const [pair, setPair] = useState<Pair>([null, null]);
  const [failure, setFailure] = useState("");
  const failed = (error: unknown): void => setFailure(messageOf(error));
  useEffect(() => {
    Promise.all([firstPhoto(0), firstPhoto(1)]).then((samples) => putSamples([null, null], samples), failed);
  }, []);
  const change = (nextOf: (now: Pair) => Pair): void =>
    setPair((now) => {
      const next = nextOf(now);
      for (const photo of now) if (!next.includes(photo)) closePhoto(photo);
      return next;
    });
  const replace = (which: 0 | 1, photo: Photo): void => change(([a, b]) => (which === 0 ? [photo, b] : [a, photo]));
  /** Samples take a while: what was chosen meanwhile stays. */
  const putSamples = ([a, b]: Pair, samples: Pair): void =>
    change((now) => {
      if (now[0] === a && now[1] === b) return samples;
      samples.forEach(closePhoto);
      return now;
    });
  const drawOthers = (): void => {
    setFailure("");
    samplePhotos(1 + Math.floor(1e6 * Math.random())).then((samples) => putSamples(pair, samples), failed);
  };
  return { pair, replace, drawOthers, failure };
}

type PhotoSlotsProps = Omit<PhotoPair, "drawOthers"> & Pick<Settings, "edge">;

export function PhotoSlots({ pair: [a, b], replace, failure, edge }: PhotoSlotsProps) {
  return (
    <>
      <div class="slots">
        <PhotoSlot label="A" photo={a} edge={edge} onPhoto={(photo) => replace(0, photo)} />
        <PhotoSlot label="B" photo={b} edge={edge} onPhoto={(photo) => replace(1, photo)} />
      </div>
      <Failure message={failure} />
    </>
  );
}

export function ModelSelect({ model, change }: { model: string } & Pick<ViewProps, "change">) {
  return (
    <Select
      label="Model"
      value={model}
      values={modelNames().map((name) => [name, name] as const)}
      onValue={(value) => change({ model: value === DEFAULTS.model ? undefined : value })}
    />
  );
}

/** At which size pictures are looked at. */
export function EdgeSelect({ edge, change }: Pick<Settings, "edge"> & Pick<ViewProps, "change">) {
  return (
    <Select
      label="Looked at"
      value={edge}
      values={EDGES.map((value) => [value as number, value === 0 ? "at full size" : `up to ${value} pixels`] as const)}
      onValue={(value) => change({ edge: value === DEFAULTS.edge ? undefined : String(value) })}
    />
  );
}
