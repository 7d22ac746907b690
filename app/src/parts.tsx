/** Parts that several views have: a place for a photograph, choices, progress. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CameraShot } from "./camera-shot.js";
import { FileButton, FileDrop } from "./files.js";
import { lookedAt, openPhoto, type Photo } from "./photos.js";
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
  const take = async (file: Blob, name: string): Promise<void> => {
    setFailure("");
    try {
      onPhoto(await openPhoto(file, name));
    } catch (error) {
      setFailure(about(name, error));
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
      {photo &&
        notesOf(photo, edge).map((note) => (
          <p key={note} class="note">
            {note}
          </p>
        ))}
      <Failure message={failure} />
    </FileDrop>
  );
}

/** What was done to a picture before it is looked at. */
function notesOf({ name, note, image }: Photo, edge: number): string[] {
  const { width, height } = lookedAt(image, edge);
  if (width === image.width) return note ? [note] : [];
  const size = `${name}: keypoints are looked for at ${width} × ${height} of ${image.width} × ${image.height} pixels`;
  return note ? [note, size] : [size];
}

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
