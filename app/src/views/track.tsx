/** Flat pictures that are followed in the camera or a video, with something laid on them. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Target, TRACK_MODEL, writeTarget } from "../../../src/track/index.js";
import { SHIPPED_MODELS } from "../../../src/web/index.js";
import { CameraShot } from "../camera-shot.js";
import { describeProgress, engine } from "../engine.js";
import { FileButton, FileDrop } from "../files.js";
import { Failure, Select } from "../parts.js";
import { firstPhoto } from "../samples.js";
import { readSettings } from "../settings.js";
import { drawnOverlay } from "../track/drawn-overlay.js";
import { Follower, type Told } from "../track/follower.js";
import type { Overlay } from "../track/laid.js";
import { cameraSource, drawnSource, type FrameSource, videoSource } from "../track/sources.js";
import { SHOWS, type Show, Stage } from "../track/stage.js";
import { closeTarget, describeQuality, type Followed, openTarget } from "../track/targets.js";
import { about, download, messageOf, type ViewProps } from "../view.js";

const SHOW_NAMES: Record<Show, string> = {
  outline: "its outline",
  picture: "a picture laid on it",
  video: "a video laid on it",
  box: "a box that stands on it",
};

export function TrackView({ settings: given, change }: ViewProps) {
  const { backend } = readSettings(given);
  const show = SHOWS.find((one) => one === given.show) ?? "outline";
  const [followed, setFollowed] = useState<Followed[]>([]);
  const [doing, setDoing] = useState("");
  const [failure, setFailure] = useState("");
  const [running, setRunning] = useState("");
  const [told, setTold] = useState<Told | null>(null);
  const [overlay, setOverlay] = useState<Partial<Record<Overlay["kind"], Overlay>>>({});
  const stage = useRef<HTMLDivElement>(null);
  const work = useRef<{ stage: Stage; follower: Follower } | null>(null);
  const opening = useRef<AbortController | null>(null);
  const model = followed[0]?.target.model.name ?? TRACK_MODEL;

  const open = (name: string) =>
    engine({ model: name, backend }, (progress) => setDoing(describeProgress(name, progress)));

  // A stage for as long as the view is there.
  useEffect(() => {
    const shown = new Stage(stage.current as HTMLElement, () => {
      change({ show: undefined });
      setFailure(
        "The graphics processor was lost, and the box with it; outlines are shown. Choose the box again to go on.",
      );
    });
    const follower = new Follower(shown, setTold, (error) => {
      setRunning("");
      setTold(null);
      setFailure(messageOf(error));
    });
    work.current = { stage: shown, follower };
    return () => {
      opening.current?.abort();
      follower.stop();
      shown.dispose();
    };
  }, []);
  const targets = useRef<Followed[]>([]);
  targets.current = followed;
  useEffect(() => () => targets.current.forEach(closeTarget), []);

  // What is followed, from the next frame on.
  useEffect(() => {
    let isCurrent = true;
    const list = followed.map(({ target }) => target);
    if (list.length === 0) work.current?.follower.look([], null);
    else
      open(model).then(
        (extractor) => {
          setDoing("");
          if (isCurrent) work.current?.follower.look(list, extractor);
        },
        (error) => isCurrent && setFailure(messageOf(error)),
      );
    return () => {
      isCurrent = false;
    };
  }, [followed, model, backend]);

  // What lies on it. The picture is drawn when it is asked for first.
  useEffect(() => {
    if (show === "picture" && !overlay.picture)
      drawnOverlay().then(
        (picture) => setOverlay((now) => ({ picture, ...now })),
        (error) => setFailure(messageOf(error)),
      );
    const laid = show === "picture" || show === "video" ? (overlay[show] ?? null) : null;
    work.current?.stage.lay(show, laid).catch((error) => setFailure(messageOf(error)));
  }, [show, overlay]);

  const add = async (files: readonly { file: Blob; name: string }[]): Promise<void> => {
    setFailure("");
    for (const { file, name } of files) {
      setDoing(`looking at ${name}`);
      try {
        const only = targets.current.length === 0;
        const opened = await openTarget(file, name, (named) => {
          const other = named && only && SHIPPED_MODELS.find((one) => one === named);
          return open(other || (targets.current[0]?.target.model.name ?? TRACK_MODEL));
        });
        setFollowed((now) => [...now, opened]);
        targets.current = [...targets.current, opened];
      } catch (error) {
        setFailure(about(name, error));
      }
    }
    setDoing("");
  };

  const start = async (what: string, source: (signal: AbortSignal) => Promise<FrameSource>): Promise<void> => {
    const { follower } = work.current as NonNullable<typeof work.current>;
    opening.current?.abort();
    const control = new AbortController();
    opening.current = control;
    const { signal } = control;
    follower.stop();
    setRunning("");
    setTold(null);
    setFailure("");
    setDoing(`opening ${what}`);
    try {
      const opened = await source(signal);
      if (signal.aborted) return opened.stop();
      follower.start(opened);
      setRunning(what);
    } catch (error) {
      if (!signal.aborted) setFailure(messageOf(error));
    } finally {
      if (!signal.aborted) setDoing("");
    }
  };
  const stop = (): void => {
    opening.current?.abort();
    work.current?.follower.stop();
    setRunning("");
    setTold(null);
    setDoing("");
  };
  const sample = async (): Promise<void> => {
    try {
      const { href, name } = await firstPhoto(0);
      const file = await (await fetch(href)).blob();
      URL.revokeObjectURL(href);
      const bitmap = await createImageBitmap(file);
      if (targets.current.length === 0) await add([{ file, name: name.replace(" A", "") }]);
      await start("the sample", async () => drawnSource(bitmap));
    } catch (error) {
      setFailure(messageOf(error));
    }
  };
  const remove = (one: Followed): void => {
    closeTarget(one);
    setFollowed((now) => now.filter((other) => other !== one));
  };

  return (
    <>
      <h1>Track</h1>
      <p class="lead">A poster, a page, a card: choose its picture, then point the camera at it.</p>
      <div class="track">
        <div class="pictures">
          <FileDrop
            label="Pictures to follow"
            onFiles={(files) => add(files.map((file) => ({ file, name: file.name || "picture" })))}
          >
            {followed.length === 0 && <p class="hint">Drop a flat picture or a .strata target here</p>}
            <ul class="targets">
              {followed.map((one) => (
                <TargetRow key={one.href} {...one} onRemove={() => remove(one)} />
              ))}
            </ul>
            <div class="choice">
              <FileButton
                accept="image/*,.strata"
                multiple
                onFiles={(files) => add(files.map((file) => ({ file, name: file.name })))}
              >
                Add pictures or targets
              </FileButton>
              <CameraShot
                label="a flat picture"
                onShot={(file) => add([{ file, name: `photograph ${targets.current.length + 1}` }])}
              />
            </div>
          </FileDrop>
        </div>
        <div class="watch">
          <div class="buttons">
            <button type="button" class="primary" onClick={() => start("the camera", cameraSource)}>
              Follow in the camera
            </button>
            <FileButton
              accept="video/*"
              onFiles={([file]) => start(file.name, (signal) => videoSource(file, file.name, signal))}
            >
              In a video
            </FileButton>
            <button type="button" onClick={sample}>
              Show a sample
            </button>
            <button type="button" disabled={!running && !doing} onClick={stop}>
              Stop
            </button>
          </div>
          <div class="fields">
            <Select
              label="Show"
              value={show}
              values={SHOWS.map((one) => [one, SHOW_NAMES[one]] as const)}
              onValue={(value) => change({ show: value === "outline" ? undefined : value })}
            />
            {(show === "picture" || show === "video") && (
              <FileButton
                accept={show === "picture" ? "image/*" : "video/*"}
                onFiles={([file]) => {
                  const before = overlay[show];
                  if (before) URL.revokeObjectURL(before.href);
                  setOverlay({ ...overlay, [show]: { kind: show, href: URL.createObjectURL(file) } });
                }}
              >
                Choose the {show}
              </FileButton>
            )}
          </div>
          <div ref={stage} class="stage" data-running={running ? "" : undefined} data-frames={told?.frames}>
            {!running && <p>What is followed is shown here.</p>}
          </div>
          <div class="progress">
            <p role="status">
              {doing ? `${doing[0].toUpperCase()}${doing.slice(1)} …` : describeStates(running, told, followed)}
            </p>
            <Failure message={failure} />
          </div>
          <p class="times">{describeTimes(told)}</p>
        </div>
      </div>
    </>
  );
}

function TargetRow({ target, href, note, onRemove }: Followed & { onRemove(): void }) {
  const { name, quality } = target;
  return (
    <li>
      <img class="thumb" src={href} alt={name} />
      <div>
        <strong>{name}</strong>
        <meter
          min="0"
          max="1"
          low={0.3}
          high={0.6}
          optimum={1}
          value={quality.score}
          aria-label={`Quality of ${name}`}
        />
        <p class="note">{describeQuality(quality)}</p>
        {note && <p class="note">{note}</p>}
        <div class="choice">
          <button type="button" onClick={() => download(fileOf(target), `${name || "target"}.strata`)}>
            Save target
          </button>
          <button type="button" aria-label={`Remove ${name}`} onClick={onRemove}>
            Remove
          </button>
        </div>
      </div>
    </li>
  );
}

const fileOf = (target: Target): Blob => new Blob([writeTarget(target)], { type: "application/octet-stream" });

/** Spoken when it changes, and not with every frame. */
function describeStates(running: string, told: Told | null, followed: readonly Followed[]): string {
  if (!running) return "";
  if (followed.length === 0) return "Add a picture to follow.";
  const seen = followed.filter((_, i) => told?.states[i] && told.states[i] !== "lost").map(({ target }) => target.name);
  if (seen.length === 0) return "Looking for it";
  return `Following ${seen.join(", ")}`;
}

/** Figures of a few frames; the line stays when there are none, so that nothing moves. */
function describeTimes(told: Told | null): string {
  if (!told) return "\u00a0";
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const rate = `${told.rate.toFixed(0)} frames a second`;
  if (!told.times) return rate;
  const { total, read, track, verify, extract, search } = told.times;
  return `${rate} · ${ms(total)} a frame: reading ${ms(read)}, following ${ms(track)}, checking ${ms(verify)} · beside it: features ${ms(extract)}, search ${ms(search)}`;
}
