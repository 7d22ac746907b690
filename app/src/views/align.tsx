/** One photograph laid onto another: by a slider between them, half and half, or as their difference. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ALIGN_CROPS, type AlignCrop, type AlignedImages, alignImages, projectPoints } from "../../../src/web/index.js";
import { CornerEditor, type Corners, cornersHomography, frameCorners, startCorners } from "../corners.js";
import { describeProgress, engine } from "../engine.js";
import { MorePhotos, useMorePhotos } from "../more-photos.js";
import { Buttons, Progress, Select } from "../parts.js";
import { EdgeSelect, ModelSelect, PhotoSlots, usePhotoPair } from "../photo-pair.js";
import { encodePhoto, type Photo } from "../photos.js";
import { readSettings } from "../settings.js";
import { download, useWork, type ViewProps } from "../view.js";

const OVERLAYS = ["swipe", "blend", "diff", "none"] as const;
type Overlay = (typeof OVERLAYS)[number];
const OVERLAY_NAMES: Record<Overlay, string> = {
  swipe: "swipe",
  blend: "half and half",
  diff: "difference",
  none: "A alone",
};
const CROP_NAMES: Record<AlignCrop, string> = {
  frame: "the frame of B",
  overlap: "what both show",
  all: "all of both",
};

/** Milliseconds without a move after which corners rest. */
const REST = 250;

interface Aligned {
  aligned: AlignedImages;
  /** `blob:` of the picture; null where A does not show B. */
  href: string | null;
}

export function AlignView({ settings: given, change }: ViewProps) {
  const settings = readSettings(given);
  const overlay = OVERLAYS.find((one) => one === given.overlay) ?? "swipe";
  const crop = ALIGN_CROPS.find((one) => one === given.crop) ?? "frame";
  const photos = usePhotoPair();
  const [a, b] = photos.pair;
  const more = useMorePhotos();
  /** Where A lies by hand, while it is dragged, and as it was left; null: it is looked for. */
  const [corners, setCorners] = useState<Corners | null>(null);
  const [left, setLeft] = useState<Corners | null>(null);
  useEffect(() => {
    setCorners(null);
    setLeft(null);
  }, [a, b]);
  useEffect(() => {
    // The picture is drawn when the corners rest.
    const timer = setTimeout(() => setLeft(corners), REST);
    return () => clearTimeout(timer);
  }, [corners]);
  const { model, backend, count, edge } = settings;
  const drawn = overlay === "swipe" ? "none" : overlay;
  // Under the slider lies B as it is, so only its frame will do.
  const shown = overlay === "swipe" ? "frame" : crop;
  const work = useWork<Aligned>(
    a && b
      ? async (signal, tell) => {
          const known = left && (await cornersHomography(a, left));
          if (left && !known) throw new Error("These corners span no plane: pull them apart.");
          const extractor = await engine({ model, backend, extraction: { maxFeatures: count } }, (progress) =>
            tell(describeProgress(model, progress)),
          );
          tell("aligning");
          const images = [a, ...more.photos, b].map(({ image }) => image);
          const aligned = await alignImages(extractor, images, {
            ...{ crop: shown, overlay: drawn, maxEdge: edge || null, signal },
            known: images.map((_, i) => (i === 0 ? known : null)),
          });
          const href = aligned.image && URL.createObjectURL(await encodePhoto(aligned.image));
          return { aligned, href };
        }
      : null,
    [a, b, more.photos, left, model, backend, count, edge, shown, drawn],
  );
  const { result } = work;
  useEffect(() => () => void (result?.href && URL.revokeObjectURL(result.href)), [result]);
  return (
    <>
      <h1>Align</h1>
      <p class="lead">A is laid onto B: a scan onto its form, photographs of a wall into one picture.</p>
      <PhotoSlots {...photos} edge={edge} />
      <MorePhotos {...more} edge={edge} />
      <div class="fields">
        <ModelSelect model={model} change={change} />
        <Select
          label="Show"
          value={overlay}
          values={OVERLAYS.map((one) => [one, OVERLAY_NAMES[one]] as const)}
          onValue={(value) => change({ overlay: value === "swipe" ? undefined : value })}
        />
        {overlay !== "swipe" && (
          <Select
            label="Crop"
            value={crop}
            values={ALIGN_CROPS.map((one) => [one, CROP_NAMES[one]] as const)}
            onValue={(value) => change({ crop: value === "frame" ? undefined : value })}
          />
        )}
        <EdgeSelect edge={edge} change={change} />
        {a && b && (
          <button
            type="button"
            aria-pressed={corners !== null}
            onClick={() => setCorners(corners ? null : cornersOf(a, b, result?.aligned.parts[0].homography))}
          >
            Place A by hand
          </button>
        )}
      </div>
      {a && b && corners && (
        <>
          <p class="note">Drag the corners of A to where they lie in B, or move them with the arrow keys.</p>
          <CornerEditor above={a} below={b} corners={corners} onCorners={setCorners} />
        </>
      )}
      <Progress {...work} />
      {result && b && <Result {...result} overlay={overlay} under={b} />}
    </>
  );
}

/** Where A was found, or a start in the middle. */
function cornersOf({ image: { width, height } }: Photo, b: Photo, homography?: Float64Array | null): Corners {
  if (!homography) return startCorners(b.image.width, b.image.height);
  return [...projectPoints(homography, frameCorners(width, height))];
}

function Result({ aligned, href, overlay, under }: Aligned & { overlay: Overlay; under: Photo }) {
  const [part, ...others] = aligned.parts.slice(0, -1);
  const lost = others.filter(({ homography }) => !homography).length;
  if (!href || !aligned.image) {
    return (
      <p class="verdict" data-verdict="different">
        A does not show B: {part.matches} matches, and no homography that they agree on. Place it by hand.
      </p>
    );
  }
  const { width, height } = aligned.image;
  return (
    <section aria-label="The aligned picture">
      <p class="verdict" data-verdict={part.verdict?.verdict ?? "none"}>
        {part.verdict ? `${part.verdict.verdict}, probability ${part.verdict.probability.toFixed(2)}; ` : ""}
        {part.matches > 0 ? `${part.inliers} of ${part.matches} matches agree` : "placed by hand"}
        {others.length > 0 && `; ${others.length - lost} of ${others.length} more pictures have a place`}
      </p>
      {overlay === "swipe" ? (
        <Swipe over={href} under={under.href} width={width} height={height} />
      ) : (
        <img
          class="aligned"
          src={href}
          width={width}
          height={height}
          alt={`A laid onto B, ${OVERLAY_NAMES[overlay]}`}
        />
      )}
      <Buttons label="Download">
        <button
          type="button"
          onClick={async () =>
            download(await encodePhoto(aligned.image as NonNullable<typeof aligned.image>), "aligned.png")
          }
        >
          PNG, {width} × {height}
        </button>
      </Buttons>
    </section>
  );
}

/** A over B up to a line that can be moved. */
function Swipe({ over, under, width, height }: { over: string; under: string; width: number; height: number }) {
  const [share, setShare] = useState(50);
  const top = useRef<HTMLImageElement>(null);
  useEffect(() => {
    // Set by script: the content policy allows no style in the markup.
    if (top.current) top.current.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  }, [share, over]);
  return (
    <div class="swipe">
      <div class="layers">
        <img src={under} width={width} height={height} alt="B" />
        <img ref={top} src={over} width={width} height={height} alt="A laid onto B" />
      </div>
      <label class="field">
        <span>A up to {share} % of the width, B behind it</span>
        <input
          type="range"
          min="0"
          max="100"
          value={share}
          onInput={(event) => setShare(Number(event.currentTarget.value))}
        />
      </label>
    </div>
  );
}
