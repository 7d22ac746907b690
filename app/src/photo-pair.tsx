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
  /** Other photographs in place of these, which are let go. */
  replace(next: Pair): void;
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
    Promise.all([firstPhoto(0), firstPhoto(1)]).then(
      (samples) => setPair((now) => (now[0] || now[1] ? now : samples)),
      failed,
    );
  }, []);
  const replace = (next: Pair): void =>
    setPair((now) => {
      for (const photo of now) if (!next.includes(photo)) closePhoto(photo);
      return next;
    });
  const drawOthers = (): void => {
    setFailure("");
    samplePhotos(1 + Math.floor(1e6 * Math.random())).then(replace, failed);
  };
  return { pair, replace, drawOthers, failure };
}

type PhotoSlotsProps = Omit<PhotoPair, "drawOthers"> & Pick<Settings, "edge">;

export function PhotoSlots({ pair: [a, b], replace, failure, edge }: PhotoSlotsProps) {
  return (
    <>
      <div class="slots">
        <PhotoSlot label="A" photo={a} edge={edge} onPhoto={(photo) => replace([photo, b])} />
        <PhotoSlot label="B" photo={b} edge={edge} onPhoto={(photo) => replace([a, photo])} />
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
