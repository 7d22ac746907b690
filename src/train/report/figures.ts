/** Curves over updates: losses, metrics, learning rate, gradient norm, speed; one run, or several in one panel each. */

import { escapeXml } from "../../escape.js";
import { figure, legend } from "../../report/figure.js";
import { type CurveLook, curveLook, drawCurve, PANEL, type Plotter } from "../../report/plotter.js";
import { type Point, type ReportRun, smooth, smoothing, thin } from "./input.js";

/** Points of a curve: more than a panel has pixels. */
const POINTS = 600;
/** Marks along a smooth curve that tell runs apart without colour. */
const MARKS = 8;
/** Ratio of largest to least value from which an axis is logarithmic. */
const LOG_FROM = 20;

interface Line {
  look: CurveLook;
  points: Point[];
  /** Every point as it is, thin and pale; or its smoothed course; or points that are few enough for a mark each. */
  kind: "raw" | "smooth" | "marked";
}

interface Panel {
  title: string;
  lines: Line[];
  /** In words, for those who do not see it. */
  said: string;
}

/** Losses of training and validation: in one panel for one run, in two for several. */
export function lossFigure(plotter: Plotter, runs: readonly ReportRun[]): string {
  const train = runs.map(({ steps }) => steps.map(({ step, loss }): Point => [step, loss ?? Number.NaN]));
  const validation = runs.map(({ validations }) =>
    validations.map(({ step, loss }): Point => [step, loss ?? Number.NaN]),
  );
  return pairFigure(plotter, "loss-figure", runs, "loss", [{ title: "Loss", train, validation }]);
}

/** A panel for each metric that any run has. */
export function metricsFigure(plotter: Plotter, runs: readonly ReportRun[]): string {
  const records = runs.flatMap(({ steps, validations }) => [...steps, ...validations]);
  const names = [...new Set(records.flatMap(({ metrics }) => Object.keys(metrics)))];
  const of = (list: readonly { step: number; metrics: Record<string, number | null> }[], name: string) =>
    list
      .filter(({ metrics }) => Object.hasOwn(metrics, name))
      .map(({ step, metrics }): Point => [step, metrics[name] ?? Number.NaN]);
  const panels = names.map((name) => ({
    title: name,
    train: runs.map(({ steps }) => of(steps, name)),
    validation: runs.map(({ validations }) => of(validations, name)),
  }));
  return pairFigure(plotter, "metrics-figure", runs, "metric", panels);
}

/** Learning rate, norm of the gradient, images per second. */
export function courseFigure(plotter: Plotter, runs: readonly ReportRun[]): string {
  const columns = [
    ["Learning rate", "rate"],
    ["Norm of the gradient, before clipping", "norm"],
    ["Images per second", "imagesPerSecond"],
  ] as const;
  const many = runs.length > 1;
  const panels = columns.map(([title, key]): Panel => {
    const curves = runs.map(({ steps }) => steps.map((record): Point => [record.step, record[key] ?? Number.NaN]));
    const lines = curves.flatMap((points, i): Line[] =>
      key === "rate" ? [{ look: curveLook(i, true), points, kind: "smooth" }] : trainLines(points, i, many),
    );
    return { title, lines, said: describe(title, runs, curves) };
  });
  return drawFigure(plotter, "course-figure", panels, runs, false, `Of each update in training.${smoothingSaid(runs)}`);
}

interface PairPanel {
  title: string;
  /** Per run. */
  train: Point[][];
  validation: Point[][];
}

function pairFigure(
  plotter: Plotter,
  id: string,
  runs: readonly ReportRun[],
  what: string,
  panels: readonly PairPanel[],
): string {
  const many = runs.length > 1;
  const drawn = panels.flatMap(({ title, train, validation }): Panel[] => {
    const training = train.flatMap((points, i) => trainLines(points, i, many));
    // One run: validation in the second colour, beside training. Several: a panel of its own, a colour per run.
    const validating = validation.map(
      (points, i): Line => ({ look: curveLook(many ? i : 1, true), points, kind: "marked" }),
    );
    const saidTrain = describe(`${title}, training`, runs, train.map(smooth));
    const saidValidation = describe(`${title}, validation`, runs, validation);
    if (!many) return [{ title, lines: [...training, ...validating], said: `${saidTrain} ${saidValidation}` }];
    return [
      { title: `${title}, training`, lines: training, said: saidTrain },
      { title: `${title}, validation`, lines: validating, said: saidValidation },
    ];
  });
  return drawFigure(
    plotter,
    id,
    drawn,
    runs,
    !many,
    `The ${what} over updates; validation at the end of each epoch.${smoothingSaid(runs)}`,
  );
}

function smoothingSaid(runs: readonly ReportRun[]): string {
  const windows = [...new Set(runs.map(({ steps }) => smoothing(steps.length)))].sort((a, b) => a - b);
  if (windows.at(-1) === 1) return "";
  return ` Training: pale as it is, thick as a mean over about ${windows.join(" or ")} updates.`;
}

function trainLines(points: Point[], index: number, many: boolean): Line[] {
  const look = curveLook(index, true);
  const raw: Line = { look, points, kind: "raw" };
  return [
    ...(smoothing(points.length) > 1 ? [raw] : []),
    { look, points: smooth(points), kind: many ? "marked" : "smooth" },
  ];
}

function drawFigure(
  plotter: Plotter,
  id: string,
  panels: readonly Panel[],
  runs: readonly ReportRun[],
  withValidation: boolean,
  caption: string,
): string {
  const shown = panels.filter(({ lines }) => lines.some(({ points }) => points.some(([, y]) => Number.isFinite(y))));
  if (shown.length === 0) return "";
  const entries =
    runs.length > 1
      ? runs.map(({ name }, i) => ({ name, look: curveLook(i, true) }))
      : withValidation
        ? [
            { name: "training", look: curveLook(0, true), dots: false },
            { name: "validation", look: curveLook(1, true) },
          ]
        : [];
  const legends = entries.length > 0 ? legend(plotter, entries) : "";
  return figure(
    id,
    shown.map((panel) => drawPanel(plotter, panel)),
    legends,
    caption,
  );
}

function drawPanel(plotter: Plotter, { title, lines, said }: Panel): string {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)).filter(Number.isFinite);
  const steps = lines.flatMap(({ points }) => points.map(([x]) => x));
  const svg = plotter.svg(said, {
    ...PANEL,
    marginLeft: 50,
    x: {
      domain: [Math.min(...ends(steps)), Math.max(...ends(steps), 1)],
      ticks: 5,
      tickFormat: "~s",
      label: "updates →",
    },
    y: { ...axisOf(values), label: null, grid: true },
    marks: lines.flatMap((line) => drawLine(plotter, line)),
  });
  return `<div><h4>${escapeXml(title)}</h4>${svg}</div>`;
}

function drawLine(plotter: Plotter, { look, points, kind }: Line) {
  const shown = thin(points, POINTS);
  if (kind === "raw") {
    return [
      plotter.Plot.line(shown as [number, number][], { stroke: look.colour, strokeWidth: 1, strokeOpacity: 0.35 }),
    ];
  }
  const curve = drawCurve(plotter, look, shown, { dots: false });
  if (kind === "smooth" && shown.length > 1) return curve;
  const every = Math.max(1, Math.ceil(points.length / MARKS));
  const marks = points.length <= 3 * MARKS ? points : points.filter((_, i) => i % every === every >> 1);
  return [...curve, ...drawCurve(plotter, look, marks).slice(1)];
}

/** Least and greatest; `Math.min(...values)` of a long run would be more arguments than a call can have. */
function ends(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Logarithmic where values are positive and far apart. */
export function axisOf(values: readonly number[]) {
  const [low, high] = ends(values);
  if (!(low > 0) || high / low < LOG_FROM) {
    const room = low === high ? Math.abs(low) * 0.1 || 1 : 0;
    return { type: "linear" as const, domain: [low - room, high + room], nice: true, ticks: 5, tickFormat: short };
  }
  return { type: "log" as const, domain: [low, high], ticks: logTicks(low, high), tickFormat: short };
}

/** Powers of ten, with 2 and 5 between them where they are few; every second or third where they are many. */
function logTicks(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const every = Math.ceil(powers.length / 8);
  const steps = powers.length <= 4 ? [1, 2, 5] : [1];
  // 10 ** -5 is not 0.00001 to the last bit, its text is.
  return powers
    .filter((power) => power % every === 0)
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((tick) => tick >= low && tick <= high);
}

/** "0.05", "1e−5", "20000", "4e6": as short as can be. */
function short(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  if (rounded === 0 || (size >= 1e-4 && size < 1e5)) return String(rounded);
  return rounded.toExponential().replace("e-", "e−").replace("e+", "e");
}

function describe(title: string, runs: readonly ReportRun[], curves: readonly (readonly Point[])[]): string {
  const said = runs.map(({ name }, i) => {
    const values = curves[i].map(([, y]) => y).filter(Number.isFinite);
    if (values.length === 0) return `${name} none`;
    const [low, high] = ends(values);
    return `${name} from ${short(values[0])} to ${short(values[values.length - 1])}, between ${short(low)} and ${short(high)}`;
  });
  return `${title}: ${said.join("; ")}.`;
}
