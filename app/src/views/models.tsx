/** The models, where they run and why, and what the browser keeps of them. */
import { useEffect, useState } from "preact/hooks";
import { SHIPPED_MODELS } from "../../../src/web/index.js";
import { describeProgress, engine } from "../engine.js";
import { Progress, Select } from "../parts.js";
import { samplePhotos } from "../photos.js";
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
      const [sample] = await samplePhotos();
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
          values={SHIPPED_MODELS.map((name) => [name as string, `${name}: ${ABOUT[name] ?? ""}`] as const)}
          onValue={(value) => change({ model: value === DEFAULTS.model ? undefined : value })}
        />
        <Select
          label="Runs on"
          value={backend}
          values={BACKENDS.map((name) => [name, name] as const)}
          onValue={(value) => change({ backend: value === DEFAULTS.backend ? undefined : value })}
        />
      </div>
      <Progress {...work} />
      {result && (
        <dl>
          <dt>Backend</dt>
          <dd>
            {result.info.session?.backend ?? "unknown"}, {result.info.session?.threads ?? 1} threads
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
