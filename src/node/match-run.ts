/**
 * A file of matches in the making. Each pair's matches are added to a log (record-log.ts) in FILE.parts/ as soon as they are
 * found; when all are there, FILE is written from it in one step.
 *
 * FILE.strata.json says of which features and how FILE was made, with FILE's own digest: a run that resumes over a finished
 * FILE takes from it what still holds, and matches anew where features have changed or pairs are new.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { OptionError, StrataError } from "../errors.js";
import type { Features, Matches } from "../features.js";
import { parseJson } from "../formats/bytes.js";
import type { ImagePair } from "../formats/colmap.js";
import { bytesOf } from "../formats/ndarray.js";
import { canonicalJson, type Provenance } from "../formats/record.js";
import { ioError, readFileChecked, writeFileAtomic } from "./atomic.js";
import type { MatchPlan } from "./match-plan.js";
import { decodePairs, digestPairs, savePairs } from "./pair-files.js";
import { beside, partsFolder } from "./parts.js";
import { RecordLog } from "./record-log.js";

/** What lies beside a finished file. */
interface Manifest {
  provenance: Provenance;
  /** Of the file. */
  sha256: string;
  /** Digest of the features by image. */
  images: Record<string, string>;
  /** SHA-256 of the names of all pairs, in order. */
  pairs: string;
  /** Matches of all pairs. */
  matches: number;
}

export class MatchRun {
  done = 0;
  matches = 0;
  /** Whether the log has no pair, also none that does not hold any more. */
  isEmpty = false;
  private log: RecordLog | undefined;
  private readonly places: Float64Array;
  private manifest: Manifest | null = null;

  constructor(
    private readonly plan: MatchPlan,
    private readonly features: ReadonlyMap<string, Features>,
    /** The file itself, and as it was named. */
    private readonly file: string,
    private readonly given: string,
    private readonly provenance: Provenance,
  ) {
    this.places = new Float64Array(plan.length).fill(-1);
  }

  has(k: number): boolean {
    return this.places[k] >= 0;
  }

  /** Reads what lies beside the file; whether it holds all that is asked for, and nothing else. */
  async isFinished(): Promise<boolean> {
    const manifest = await readManifest(manifestPath(this.file));
    if (!manifest || manifest.sha256 !== (await digestOf(this.file))) return false;
    if (canonicalJson(manifest.provenance) !== canonicalJson(this.provenance)) {
      throw new OptionError(
        `${this.given} was made ${difference(manifest.provenance, this.provenance)}; run with the same, name another file, or ` +
          "make it anew with --force",
      );
    }
    this.manifest = manifest;
    this.matches = manifest.matches;
    const { images, pairs } = manifest;
    const { plan } = this;
    const sameImages = Object.keys(images).length === plan.names.length;
    return sameImages && plan.names.every((name) => images[name] === plan.digest(name)) && pairs === pairsDigest(plan);
  }

  /** Opens the log and finds the pairs in it that still hold. OptionError for one that was made otherwise. */
  async openLog(path: string): Promise<void> {
    const own = canonicalJson(this.provenance);
    let first = true;
    let records = 0;
    this.log = await RecordLog.open(path, ({ key }, place) => {
      if (first) {
        first = false;
        if (key === own) return;
        throw new OptionError(
          `${partsFolder(this.given)} keeps pairs that were matched ${difference(parseProvenance(key), this.provenance)}; ` +
            "run with the same, or begin anew with --force",
        );
      }
      records++;
      this.note(key, place);
    });
    this.isEmpty = records === 0;
    if (first) await this.log.append({ key: own, body: new Uint8Array(0) });
  }

  /** The pairs of the finished file that still hold go into the log. OptionError where the file has others. */
  async takeOver(): Promise<void> {
    if (!this.manifest) {
      // Stopped between the file and what lies beside it: then all pairs are in the log, and make this very file.
      const isOurs = this.done === this.plan.length && (await this.digest()) === (await digestOf(this.file));
      if (isOurs) return;
      throw new OptionError(
        `${this.given} is there, and nothing beside it says that it was made by match-features of these features, ` +
          "unchanged since; name another file, or make it anew with --force",
      );
    }
    const { images } = this.manifest;
    const stored = await decodePairs(this.file, await readFileChecked(this.file), Object.keys(images));
    const strange = stored.filter(({ name0, name1 }) => !this.plan.has(name0, name1));
    if (strange.length > 0) {
      const [{ name0, name1 }] = strange;
      throw new OptionError(
        `${this.given} has ${strange.length} pairs that are not asked for now ("${name0}" and "${name1}" first); ask for them ` +
          "as well, name another file, or make it anew with --force",
      );
    }
    for (const { name0, name1, matches } of stored) {
      const k = this.plan.find(name0, name1);
      const holds = k >= 0 && [name0, name1].every((name) => images[name] === this.plan.digest(name));
      if (holds && !this.has(k)) await this.add(k, matches);
    }
  }

  /** Adds the matches of a pair. */
  async add(k: number, matches: Matches): Promise<void> {
    const place = await this.opened().append({ key: this.keyOf(k), body: bodyOf(matches) });
    this.places[k] = place;
    this.done++;
    this.isEmpty = false;
  }

  /** Writes the file, and then what lies beside it. */
  async finish(): Promise<void> {
    await this.opened().sync();
    const sha256 = await savePairs(this.file, this.read(), this.features);
    const images = Object.fromEntries(this.plan.names.map((name) => [name, this.plan.digest(name)]));
    const manifest: Manifest = {
      provenance: this.provenance,
      sha256,
      images,
      pairs: pairsDigest(this.plan),
      matches: this.matches,
    };
    await writeFileAtomic(manifestPath(this.file), `${JSON.stringify(manifest)}\n`);
  }

  async close(): Promise<void> {
    const { log } = this;
    this.log = undefined;
    await log?.close();
  }

  private digest(): Promise<string> {
    return digestPairs(this.file, this.read(), this.features);
  }

  /** All pairs from the log, in the order of the plan. */
  private *read(): Generator<ImagePair> {
    this.matches = 0;
    const log = this.opened();
    for (let k = 0; k < this.plan.length; k++) {
      const [name0, name1] = this.plan.pair(k);
      const matches = matchesOf(log.read(this.places[k]).body);
      this.matches += matches.count;
      yield { name0, name1, matches };
    }
  }

  /** Notes a record if it is of a pair that is asked for, of features as they are now. */
  private note(key: string, place: number): void {
    const [name0, name1] = JSON.parse(key) as string[];
    const k = this.plan.find(name0, name1);
    if (k < 0 || this.keyOf(k) !== key) return;
    if (!this.has(k)) this.done++;
    this.places[k] = place;
  }

  private keyOf(k: number): string {
    const [name0, name1] = this.plan.pair(k);
    return JSON.stringify([name0, name1, this.plan.digest(name0), this.plan.digest(name1)]);
  }

  private opened(): RecordLog {
    return this.log as RecordLog;
  }
}

const manifestPath = (file: string): string => beside(file, ".strata.json");

/** The manifest, or null where there is none that can be read. */
async function readManifest(path: string): Promise<Manifest | null> {
  try {
    const manifest = parseJson(path, await readFileChecked(path)) as Partial<Manifest> | null;
    const { provenance, sha256, images, pairs, matches } = manifest ?? {};
    const isWhole =
      isObject(provenance) &&
      isObject(images) &&
      typeof sha256 === "string" &&
      typeof pairs === "string" &&
      typeof matches === "number";
    return isWhole ? (manifest as Manifest) : null;
  } catch (error) {
    if (error instanceof StrataError) return null;
    throw error;
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

function parseProvenance(text: string): Provenance {
  try {
    return JSON.parse(text) as Provenance;
  } catch {
    return {};
  }
}

/** How two runs differ: "otherwise (ratio: 0.8 then, none now)". */
function difference(then: Provenance, now: Provenance): string {
  const show = (value: unknown): string => (value === null || value === undefined ? "none" : String(value));
  const changed = Object.keys({ ...then, ...now }).filter(
    (key) => canonicalJson(then[key]) !== canonicalJson(now[key]),
  );
  return `otherwise (${changed.map((key) => `${key}: ${show(then[key])} then, ${show(now[key])} now`).join("; ")})`;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) hash.update(chunk);
  } catch (cause) {
    throw ioError("read", path, cause);
  }
  return hash.digest("hex");
}

function pairsDigest(plan: MatchPlan): string {
  const hash = createHash("sha256");
  for (const pair of plan.pairs()) hash.update(`${JSON.stringify(pair)}\n`);
  return hash.digest("hex");
}

/** Bytes of a match: two indices and a score. */
const MATCH_BYTES = 12;

function bodyOf({ pairs, scores }: Matches): Uint8Array {
  const body = new Uint8Array(pairs.byteLength + scores.byteLength);
  body.set(bytesOf(pairs));
  body.set(bytesOf(scores), pairs.byteLength);
  return body;
}

function matchesOf(body: Uint8Array): Matches {
  const count = Math.floor(body.length / MATCH_BYTES);
  const { buffer } = body.slice();
  return { count, pairs: new Uint32Array(buffer, 0, 2 * count), scores: new Float32Array(buffer, 8 * count, count) };
}
