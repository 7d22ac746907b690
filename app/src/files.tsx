/** Ways of handing files to the page: dropping and pasting them onto a place, and a button that opens the picker. */
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";

interface FileDropProps {
  /** What the place is called for people who do not see it. */
  label: string;
  onFiles(files: File[]): void;
  children: ComponentChildren;
}

/** Takes files that are dropped on it, or pasted while something in it has the focus. */
export function FileDrop({ label, onFiles, children }: FileDropProps) {
  const [over, setOver] = useState(false);
  const take = (items: DataTransfer | null): void => {
    const files = [...(items?.files ?? [])];
    if (files.length > 0) onFiles(files);
  };
  return (
    <fieldset
      class={`slot${over ? " over" : ""}`}
      aria-label={label}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer);
      }}
      onPaste={(event) => take(event.clipboardData)}
    >
      {children}
    </fieldset>
  );
}

interface FileButtonProps {
  /** As of an input; default: every file. */
  accept?: string;
  /** Several at once. Default false. */
  multiple?: boolean;
  /** All files of a folder. Default false. */
  folder?: boolean;
  disabled?: boolean;
  onFiles(files: File[]): void;
  children: ComponentChildren;
}

/** Opens the picker; an input under a label, so that it works by keyboard too. */
export function FileButton({ accept, multiple, folder, disabled, onFiles, children }: FileButtonProps) {
  const id = useId();
  return (
    <span class="file">
      <input
        id={id}
        class="hidden-input"
        type="file"
        accept={accept}
        multiple={multiple}
        disabled={disabled}
        {...(folder && { webkitdirectory: true })}
        onChange={(event) => {
          const input = event.currentTarget;
          const files = [...(input.files ?? [])];
          input.value = "";
          if (files.length > 0) onFiles(files);
        }}
      />
      <label class="button" for={id}>
        {children}
      </label>
    </span>
  );
}
