/** `strata models download`: a model of the registry into the cache. Stopped, the same command goes on where it was. */
import { OptionError } from "../../errors.js";
import { IMPORTED_KINDS, type ModelEntry } from "../../model/registry-entry.js";
import { checkSha256 } from "../../node/download.js";
import { checkUrl, LoginError } from "../../node/http.js";
import { type FetchedModel, fetchModel } from "../../node/models/fetch.js";
import { importHint } from "../../node/models/known.js";
import { openRegistry } from "../../node/models/registry.js";
import { byteMeter } from "../byte-meter.js";
import { type Context, EXIT, untilInterrupted } from "../context.js";

/** As commander hands them over. */
export interface DownloadFlags {
  registry?: string;
  baseUrl?: string;
  sha256?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function downloadCommand(
  names: readonly string[],
  flags: DownloadFlags,
  context: Context,
): Promise<number> {
  if (flags.sha256 !== undefined) checkSha256("--sha256", flags.sha256);
  if (flags.sha256 !== undefined && names.length > 1) throw new OptionError("--sha256 is of one file; name one model");
  if (flags.baseUrl !== undefined) checkUrl("--base-url", flags.baseUrl);
  const registry = await openRegistry(flags.registry);
  // All names first: a wrong one is told before anything is fetched.
  const entries = [...new Set(names)].map((name) => registry.get(name));
  const done = await untilInterrupted(context, (signal) => downloadAll(entries, flags, context, signal));
  if (done === null) return EXIT.interrupted;
  if (flags.json) context.out(`${JSON.stringify(done.map(({ entry, model }) => result(entry, model)))}\n`);
  return EXIT.ok;
}

interface Done {
  entry: ModelEntry;
  /** null: it comes with strata. */
  model: FetchedModel | null;
}

async function downloadAll(
  entries: readonly ModelEntry[],
  flags: DownloadFlags,
  context: Context,
  signal: AbortSignal,
): Promise<Done[]> {
  const done: Done[] = [];
  for (const entry of entries) {
    const model = entry.shipped ? null : await downloadOne(entry, flags, context, signal);
    done.push({ entry, model });
    if (!flags.json && !flags.quiet) context.out(describe(entry, model));
  }
  return done;
}

async function downloadOne(
  entry: ModelEntry,
  flags: DownloadFlags,
  context: Context,
  signal: AbortSignal,
): Promise<FetchedModel> {
  const meter = byteMeter(flags, context);
  try {
    return await fetchModel(entry, {
      baseUrl: flags.baseUrl,
      sha256: flags.sha256?.toLowerCase(),
      ask: context.ask,
      say: (line) => flags.quiet || meter.log(`strata: ${line}`),
      onProgress: ({ received, total, arrived }) => meter.update(received, total, arrived),
      signal,
    });
  } catch (error) {
    // Where a login comes from, or the file otherwise, the registry may know.
    if (error instanceof LoginError && entry.note !== "") context.err(`strata: note: ${entry.note}\n`);
    throw error;
  } finally {
    meter.stop();
  }
}

function result(entry: ModelEntry, model: FetchedModel | null): Record<string, unknown> {
  if (!model) return { name: entry.name, shipped: true, fetched: false };
  const { name, path, bytes, sha256, checkedBy, from, fetched } = model;
  return { name, path, bytes, sha256, checkedBy, from, fetched, import: IMPORTED_KINDS.includes(entry.kind) };
}

function describe(entry: ModelEntry, model: FetchedModel | null): string {
  if (!model) return `${entry.name} comes with strata: nothing to fetch\n`;
  const { name, path, bytes, sha256, checkedBy, fetched } = model;
  const checked = {
    sha256: "as expected",
    sha256Prefix: "its first digits are as expected; more is not known",
    nothing: "not checked, for no checksum is known here: compare it with one you trust, or give it with --sha256",
  }[checkedBy];
  const use = IMPORTED_KINDS.includes(entry.kind) ? importHint(name) : `strata extract IMAGE --model ${name}`;
  return (
    `${name}: ${path}, ${bytes.toLocaleString("en")} bytes${fetched ? "" : " (it was there; nothing was fetched)"}\n` +
    `  SHA-256 ${sha256} (${checked})\n  next: ${use}\n`
  );
}
