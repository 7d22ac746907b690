/** The models, where they run and why, and what the browser keeps of them. */
import { useEffect, useState } from "preact/hooks";
import { describeProgress, engine } from "../engine.js";
import { FileButton, FileDrop } from "../files.js";
import { addOwnModel, modelNames } from "../own-models.js";
import { Failure, Progress, Select } from "../parts.js";
import { closePhoto } from "../photos.js";
import { firstPhoto } from "../samples.js";
import { BACKENDS, DEFAULTS, readSettings } from "../settings.js";
import { messageOf, useWork, type ViewProps } from "../view.js";

const ABOUT: Record<string, string> = {
  "strata-s": "the default: the most accurate, five scales",
  "strata-xs": "the same weights at 8 bits, two scales, half the time",
  "strata-t": "for cameras and phones: 0.12 MB, a tenth of the time",
};

export function ModelsView({ settings: given, change }: ViewProps) {
  const settings = readSettings(given);
  const { model, backend, count } = settings;
  const work = useWork(
    async (_, tell) => {
      const extractor = await engine({ model, backend, extraction: { maxFeatures: count } }, (progress) =>
        tell(describeProgress(model, progress)),
      );
      tell("extracting a sample");
      const sample = await firstPhoto(0);
      closePhoto(sample);
      const started = performance.now();
      const { count: found } = await extractor.extract(sample.image);
      return { found, time: performance.now() - started, info: extractor.info };
    },
    [model, backend, count],
  );
  const { result } = work;
  return (
    <>
      <h1>Models</h1>
      <p class="lead">What finds the keypoints, and where it runs.</p>
      <div class="fields">
        <Select
          label="Model"
          value={model}
          values={modelNames().map((name) => [name, ABOUT[name] ? `${name}: ${ABOUT[name]}` : name] as const)}
          onValue={(value) => change({ model: value === DEFAULTS.model ? undefined : value })}
        />
        <Select
          label="Runs on"
          value={backend}
          values={BACKENDS.map((name) => [name, name] as const)}
          onValue={(value) => change({ backend: value === DEFAULTS.backend ? undefined : value })}
        />
      </div>
      <OwnModel onModel={(name) => change({ model: name })} />
      <Progress {...work} />
      {result && (
        <dl>
          <dt>Backend</dt>
          <dd>
            {result.info.session?.backend ?? "unknown"}, {describeThreads(result.info.session?.threads)}
          </dd>
          <dt>Why</dt>
          <dd>{result.info.choice?.reason ?? "not told"}</dd>
          <dt>Works in</dt>
          <dd>{result.info.worker.used ? "a worker of its own" : `the page: ${result.info.worker.reason ?? ""}`}</dd>
          <dt>Sample</dt>
          <dd>
            {result.found} keypoints of 640 × 480 in {result.time.toFixed(0)} ms
          </dd>
        </dl>
      )}
      <Kept />
    </>
  );
}

/** How many there are, and why there are no more. */
function describeThreads(threads = 1): string {
  const count = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  if (globalThis.crossOriginIsolated || threads > 1) return count;
  return `${count}: the server does not isolate this page (Cross-Origin-Opener-Policy, Cross-Origin-Embedder-Policy)`;
}

/** A model of the reader's own, for this visit. */
function OwnModel({ onModel }: { onModel(name: string): void }) {
  const [failure, setFailure] = useState("");
  const [doing, setDoing] = useState(false);
  const take = async (files: File[]): Promise<void> => {
    setFailure("");
    setDoing(true);
    try {
      onModel(await addOwnModel(files));
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setDoing(false);
    }
  };
  return (
    <FileDrop label="A model of your own" onFiles={take}>
      <p class="note">
        A model of your own: the folder of a training, or an ONNX file of strata export. It stays in this page until it
        is closed.
      </p>
      <div class="choice">
        <FileButton folder disabled={doing} onFiles={take}>
          Open a model folder
        </FileButton>
        <FileButton accept=".onnx" disabled={doing} onFiles={take}>
          Open an ONNX file
        </FileButton>
      </div>
      <Failure message={failure} />
    </FileDrop>
  );
}

/** What the browser keeps for visits without a network. */
function Kept() {
  const [told, setTold] = useState("");
  const [names, setNames] = useState<string[]>([]);
  const look = (): void => {
    if (!("caches" in globalThis)) setTold("This browser keeps nothing for pages that are not secure.");
    else caches.keys().then(setNames, (error) => setTold(messageOf(error)));
  };
  useEffect(look, []);
  return (
    <section aria-label="What the browser keeps">
      <h2>Kept by the browser</h2>
      <p role="status">{told || (names.length ? `${names.length} stores of files` : "Nothing is kept.")}</p>
      <button
        type="button"
        disabled={names.length === 0}
        onClick={async () => {
          for (const name of names) await caches.delete(name);
          setTold("");
          look();
        }}
      >
        Clear
      </button>
    </section>
  );
}
