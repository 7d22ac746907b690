/** A photograph by the camera: a dialogue that shows what it sees and takes what is seen. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Camera, camera } from "../../src/web/index.js";
import { messageOf } from "./view.js";

interface CameraShotProps {
  /** What the photograph is for, in the dialogue's title. */
  label: string;
  onShot(photograph: Blob): void;
}

/** A button that opens the dialogue. */
export function CameraShot({ label, onShot }: CameraShotProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Camera
      </button>
      {open && <ShotDialog label={label} onShot={onShot} onClose={() => setOpen(false)} />}
    </>
  );
}

const FACINGS = ["environment", "user"] as const;

function ShotDialog({ label, onShot, onClose }: CameraShotProps & { onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [facing, setFacing] = useState(0);
  const [opened, setOpened] = useState<Camera | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const control = new AbortController();
    setOpened(null);
    setFailure("");
    const { signal } = control;
    const wanted = { facing: FACINGS[facing], width: 1920, height: 1080 };
    camera({ ...wanted, video: video.current as HTMLVideoElement, signal }).then(
      (ready) => {
        setOpened(ready);
        void ready.ended.then((reason) => reason && !signal.aborted && setFailure(reason.message));
      },
      (error) => signal.aborted || setFailure(messageOf(error)),
    );
    return () => control.abort();
  }, [facing]);
  const take = async (): Promise<void> => {
    const { width, height } = opened as Camera;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d")?.drawImage((opened as Camera).video, 0, 0);
    onShot(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 }));
    onClose();
  };
  return (
    <dialog ref={dialog} class="shot" aria-label={`Photograph ${label}`} onClose={onClose}>
      <video ref={video} muted playsInline aria-label="What the camera sees" />
      {failure && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      <div class="buttons">
        <button type="button" class="primary" disabled={!opened || failure !== ""} onClick={take}>
          Take the picture
        </button>
        <button type="button" onClick={() => setFacing(1 - facing)}>
          Other camera
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}
