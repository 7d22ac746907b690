/** Two photographs: their keypoints, matches, the geometry between them, and whether they show the same. */
import { useEffect } from "preact/hooks";
import { resizeHomography } from "../../../src/geometry/coordinates.js";
import type { Shrunk } from "../../../src/image/shrink.js";
import {
  type ExtractorInfo,
  type FloatFeatures,
  type MatchedImages,
  type MatchReport,
  matchImages,
  resizePoints,
  showMatches,
} from "../../../src/web/index.js";
import { describeProgress, engine } from "../engine.js";
import { saveReport } from "../match-files.js";
import { Buttons, Filled, Progress, Select } from "../parts.js";
import { EdgeSelect, ModelSelect, PhotoSlots, usePhotoPair } from "../photo-pair.js";
import { lookedAt, type Photo } from "../photos.js";
import { ScoreMaps } from "../score-maps.js";
import { COUNTS, DEFAULTS, readSettings } from "../settings.js";
import { useWork, type ViewProps } from "../view.js";

const STEPS = {
  extract1: "looking for keypoints in A",
  extract2: "looking for keypoints in B",
  match: "matching",
  verify: "estimating the geometry",
} as const;

interface Shown {
  photos: [Photo, Photo];
  report: MatchReport;
}

export function MatchView({ settings: given, change }: ViewProps) {
  const settings = readSettings(given);
  const photos = usePhotoPair();
  const [a, b] = photos.pair;
  const { model, backend, geometry, count, ratio, edge } = settings;
  const open = (tell: (doing: string) => void) =>
    engine({ model, backend, extraction: { maxFeatures: count } }, (progress) =>
      tell(describeProgress(model, progress)),
    );
  // While the samples are drawn, so that neither waits for the other. What fails is told when it is needed.
  useEffect(() => void open(() => {}).catch(() => {}), []);
  const work = useWork<Shown>(
    a && b
      ? async (signal, tell) => {
          const extractor = await open(tell);
          signal.throwIfAborted();
          const looked = [lookedAt(a.image, edge), lookedAt(b.image, edge)] as const;
          const found = await matchImages(extractor, looked[0].image, looked[1].image, {
            match: { ratio: ratio < 1 ? ratio : null },
            geometry: { model: geometry },
            signal,
            onStep: (step) => tell(STEPS[step]),
          });
          return { photos: [a, b], report: reportOf([a, b], looked, found, extractor.info) };
        }
      : null,
    [a, b, model, backend, geometry, count, ratio, edge],
  );
  return (
    <>
      <h1>Match</h1>
      <p class="lead">Do two photographs show the same, and how does one lie to the other?</p>
      <PhotoSlots {...photos} edge={edge} />
      <div class="fields">
        <ModelSelect model={model} change={change} />
        <Select
          label="Geometry"
          value={geometry}
          values={[
            ["homography", "one plane"],
            ["auto", "plane or depth"],
          ]}
          onValue={(value) => change({ geometry: value === DEFAULTS.geometry ? undefined : value })}
        />
        <Select
          label="Keypoints"
          value={count}
          values={COUNTS.map((value) => [value as number, String(value)] as const)}
          onValue={(value) => change({ count: value === DEFAULTS.count ? undefined : String(value) })}
        />
        <EdgeSelect edge={edge} change={change} />
        <label class="field">
          <span>Ratio test {ratio < 1 ? ratio.toFixed(2) : "off"}</span>
          <input
            type="range"
            min="0.6"
            max="1"
            step="0.01"
            value={ratio}
            onChange={(event) => {
              const { value } = event.currentTarget;
              change({ ratio: Number(value) === DEFAULTS.ratio ? undefined : value });
            }}
          />
        </label>
        <button type="button" onClick={photos.drawOthers}>
          Other samples
        </button>
      </div>
      <Progress {...work} />
      {work.result && <Result {...work.result} model={model} />}
    </>
  );
}

/** What was found, in pixels of the pictures as they are. */
function reportOf(
  photos: [Photo, Photo],
  looked: readonly [Shrunk, Shrunk],
  found: MatchedImages,
  info: ExtractorInfo,
): MatchReport {
  const { session, verdict: _, ...own } = info;
  const inWhole = (i: 0 | 1): FloatFeatures => {
    const { width, height } = photos[i].image;
    const keypoints = resizePoints(found.features[i].keypoints.slice(), ...looked[i].step);
    return { ...found.features[i], imageSize: [width, height], keypoints };
  };
  const { matrix, inliers } = found.homography;
  return {
    ...found,
    paths: [photos[0].name, photos[1].name],
    images: [photos[0].image, photos[1].image],
    features: [inWhole(0), inWhole(1)],
    homography: { matrix: matrix && resizeHomography(matrix, looked[0].step, looked[1].step), inliers },
    info: { ...own, ...session },
  };
}

function Result({ photos, report, model }: Shown & { model: string }) {
  const { features, matches, homography, geometry, verdict, seconds } = report;
  const picture = ({ href, image: { width, height }, name }: Photo) => ({ href, width, height, name });
  const input = {
    ...{
      imageA: picture(photos[0]),
      imageB: picture(photos[1]),
      featuresA: features[0],
      featuresB: features[1],
      matches,
    },
    homography: geometry.model === "homography" ? homography : { matrix: null, inliers: geometry.inliers },
  };
  const { backend, threads, fallback } = report.info as { backend?: string; threads?: number; fallback?: string };
  const where = backend ? ` · ${backend}, ${threads ?? 1} ${threads === 1 ? "thread" : "threads"}` : "";
  const steps = Object.entries(seconds).map(([step, time]) => `${step} ${(1000 * time).toFixed(0)} ms`);
  const kind = geometry.model === "homography" ? "a plane" : "a scene with depth";
  const agree = `${geometry.inliers.length} of ${matches.count} matches agree`;
  const doubtful = verdict && verdict.verdict !== "same";
  return (
    <section aria-label="What was found">
      <p class="verdict" data-verdict={verdict?.verdict ?? "none"}>
        {verdict ? `${verdict.verdict}, probability ${verdict.probability.toFixed(2)}` : "no verdict for this model"}
        {geometry.matrix ? `; ${doubtful ? "at best " : ""}${kind}, ${agree}` : "; no geometry"}
      </p>
      <p class="times">
        {steps.join(" · ")}
        {where}
      </p>
      {fallback && <p class="note">{fallback}</p>}
      <Filled fill={(element) => showMatches(element, input)} inputs={[report]} />
      <Buttons label="Download">
        {(["png", "svg", "json", "npz"] as const).map((kind) => (
          <button key={kind} type="button" onClick={() => saveReport(report, kind)}>
            {kind.toUpperCase()}
          </button>
        ))}
      </Buttons>
      {photos.map((photo) => (
        <ScoreMaps key={photo.href} model={model} photo={photo} />
      ))}
    </section>
  );
}
