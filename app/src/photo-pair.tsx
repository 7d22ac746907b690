/** Two photographs, A and B, that begin as samples; and the choice of the model that looks at them. */
import { useEffect, useState } from "preact/hooks";
import { modelNames } from "./own-models.js";
import { PhotoSlot, Select } from "./parts.js";
import { closePhoto, type Photo } from "./photos.js";
import { samplePhotos } from "./samples.js";
import { DEFAULTS } from "./settings.js";
import type { ViewProps } from "./view.js";

type Pair = [Photo | null, Photo | null];

export interface PhotoPair {
  pair: Pair;
  /** Other photographs in place of these, which are let go. */
  replace(next: Pair): void;
}

export function usePhotoPair(): PhotoPair {
  const [pair, setPair] = useState<Pair>([null, null]);
  useEffect(() => {
    samplePhotos().then((samples) => setPair((now) => (now[0] || now[1] ? now : samples)));
  }, []);
  const replace = (next: Pair): void =>
    setPair((now) => {
      for (const photo of now) if (!next.includes(photo)) closePhoto(photo);
      return next;
    });
  return { pair, replace };
}

export function PhotoSlots({ pair: [a, b], replace }: PhotoPair) {
  return (
    <div class="slots">
      <PhotoSlot label="A" photo={a} onPhoto={(photo) => replace([photo, b])} />
      <PhotoSlot label="B" photo={b} onPhoto={(photo) => replace([a, photo])} />
    </div>
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
