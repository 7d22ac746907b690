/** Parts that several views have: a place for a photograph, choices, progress. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Image } from "../../src/web/index.js";
import { CameraShot } from "./camera-shot.js";
import { FileButton, FileDrop } from "./files.js";
import { closePhoto, lookedAt, openPhoto, type Photo } from "./photos.js";
import { about, type Work } from "./view.js";

interface SlotProps {
  label: string;
  photo: Photo | null;
  /** Its longer edge where it is looked at, which is told if it is shorter than the picture's. Default 0: as it is. */
  edge?: number;
  onPhoto(photo: Photo): void;
}

/** Takes a photograph by drop, picker, camera or paste while it has the focus. */
export function PhotoSlot({ label, photo, edge = 0, onPhoto }: SlotProps) {
  const [failure, setFailure] = useState("");
  const chosen = useRef<Blob | null>(null);
  const take = async (file: Blob, name: string): Promise<void> => {
    setFailure("");
    // What was chosen last counts, whichever file is decoded first.
    chosen.current = file;
    try {
      const taken = await openPhoto(file, name);
      if (chosen.current === file) onPhoto(taken);
      else closePhoto(taken);
    } catch (error) {
      if (chosen.current === file) setFailure(about(name, error));
    }
  };
  return (
    <FileDrop label={`Picture ${label}`} onFiles={([file]) => take(file, file.name || label)}>
      {photo ? <img src={photo.href} alt={`${label}: ${photo.name}`} /> : <p class="hint">Drop a picture here</p>}
      <div class="choice">
        <FileButton accept="image/*" onFiles={([file]) => take(file, file.name)}>
          {label}: {photo ? photo.name : "choose"}
        </FileButton>
        <CameraShot label={label} onShot={(shot) => take(shot, `photograph ${label}`)} />
      </div>
      {photo && <PhotoNotes photo={photo} edge={edge} />}
      <Failure message={failure} />
    </FileDrop>
  );
}

/** What was done to a picture before it is looked at, with its longer edge at most `edge` pixels (0: as it is). */
export function PhotoNotes({ photo, edge }: { photo: Photo; edge: number }) {
  const { name, note, image } = photo;
  const { image: looked } = lookedAt(image, edge);
  return (
    <>
      {note && <p class="note">{note}</p>}
      {looked !== image && (
        <p class="note">{`${name}: keypoints are looked for at ${sizeOf(looked)} of ${sizeOf(image)} pixels`}</p>
      )}
    </>
  );
}

const sizeOf = ({ width, height }: Image): string => `${width} × ${height}`;

/** Why something could not be done; nothing where it was. */
export function Failure({ message }: { message: string }) {
  if (!message) return null;
  return (
    <p class="failure" role="alert">
      {message}
    </p>
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

/** What is going on, with a way to stop it; else what came of it (`told`), or why it could not be done. */
export function Progress({
  doing,
  failure,
  stop,
  told = "",
}: Pick<Work<unknown>, "doing" | "failure" | "stop"> & { told?: string }) {
  return (
    <div class="progress">
      <p role="status">{doing ? `${doing[0].toUpperCase()}${doing.slice(1)} …` : told}</p>
      {doing && (
        <button type="button" onClick={stop}>
          Stop
        </button>
      )}
      <Failure message={failure} />
    </div>
  );
}

/** An element that a function fills, again whenever one of `inputs` changes. */
export function Filled({ fill, inputs }: { fill: (element: HTMLElement) => void; inputs: readonly unknown[] }) {
  const element = useRef<HTMLDivElement>(null);
  // Before it is painted: what stands below is at its place from the first.
  useLayoutEffect(() => {
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
