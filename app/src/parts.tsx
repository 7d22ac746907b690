/** Parts that several views have: a place for a photograph, choices, progress. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { openPhoto, type Photo } from "./photos.js";
import { messageOf, type Work } from "./view.js";

interface SlotProps {
  label: string;
  photo: Photo | null;
  onPhoto(photo: Photo): void;
}

/** Takes a photograph by drop, picker (which offers the camera on a telephone) or paste while it has the focus. */
export function PhotoSlot({ label, photo, onPhoto }: SlotProps) {
  const id = useId();
  const [failure, setFailure] = useState("");
  const [over, setOver] = useState(false);
  const take = async (file: Blob | null | undefined, name: string): Promise<void> => {
    if (!file) return;
    setFailure("");
    try {
      onPhoto(await openPhoto(file, name));
    } catch (error) {
      setFailure(messageOf(error));
    }
  };
  const fileOf = (items: DataTransfer | null): File | undefined => items?.files[0];
  return (
    <fieldset
      class={`slot${over ? " over" : ""}`}
      aria-label={`Picture ${label}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = fileOf(event.dataTransfer);
        take(file, file?.name ?? label);
      }}
      onPaste={(event) => {
        const file = fileOf(event.clipboardData);
        if (file) take(file, file.name || label);
      }}
    >
      {photo ? <img src={photo.href} alt={`${label}: ${photo.name}`} /> : <p class="hint">Drop a picture here</p>}
      <input
        id={id}
        class="hidden-input"
        type="file"
        accept="image/*"
        onChange={(event) => {
          const input = event.currentTarget;
          const file = input.files?.[0];
          take(file, file?.name ?? label);
          input.value = "";
        }}
      />
      <label class="button" for={id}>
        {label}: {photo ? photo.name : "choose"}
      </label>
      {photo?.note && <p class="note">{photo.note}</p>}
      {failure && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
    </fieldset>
  );
}

interface SelectProps<T extends string | number> {
  label: string;
  value: T;
  values: readonly (readonly [T, string])[];
  onValue(value: T): void;
}

export function Select<T extends string | number>({ label, value, values, onValue }: SelectProps<T>) {
  return (
    <label class="field">
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => {
          const found = values.find(([one]) => String(one) === event.currentTarget.value);
          if (found) onValue(found[0]);
        }}
      >
        {values.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What is going on, with a way to stop it; or why it could not be done. */
export function Progress({ doing, failure, stop }: Pick<Work<unknown>, "doing" | "failure" | "stop">) {
  return (
    <div class="progress">
      <p role="status">{doing && `${doing[0].toUpperCase()}${doing.slice(1)} …`}</p>
      {doing && (
        <button type="button" onClick={stop}>
          Stop
        </button>
      )}
      {failure && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
    </div>
  );
}

/** An element that a function fills, again whenever one of `inputs` changes. */
export function Filled({ fill, inputs }: { fill: (element: HTMLElement) => void; inputs: readonly unknown[] }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (element.current) fill(element.current);
  }, inputs);
  return <div ref={element} />;
}

export function Buttons({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <fieldset class="buttons" aria-label={label}>
      {children}
    </fieldset>
  );
}
