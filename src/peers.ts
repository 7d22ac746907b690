/**
 * Packages that are not installed with strata: each is asked for rarely and large. They are loaded at their first use; one
 * that is missing, or of a version that strata does not know, is told with the command that mends it. Whoever imports one
 * writes `try { await import("NAME") } catch (cause) { throw peerError("NAME", cause) }`: bundlers let a package be
 * missing only where an import stands in a try block.
 */
import { UnsupportedError } from "./errors.js";
import { asLimit } from "./limits.js";

interface Peer {
  /** The version that strata is tested with; compatible ones are taken as well (as npm's ^ has it). */
  version: string;
  /** What needs it; begins the sentence "… need the package NAME". */
  use: string;
  /** What npm takes it from, where it is installed under another name than its own. */
  source?: string;
}

/**
 * package.json has the same names and versions under peerDependencies; a test holds both together. OpenCV's packages stand
 * there without a version: npm would refuse strata beside an OpenCV that somebody has for something else.
 */
export const PEERS = {
  "@fastify/swagger": { version: "9.9.3", use: "services" },
  "@fastify/swagger-ui": { version: "5.2.6", use: "services" },
  "@lancedb/lancedb": { version: "0.37.1", use: "indexes in LanceDB" },
  "@observablehq/plot": { version: "0.6.17", use: "reports with plots" },
  "@techstark/opencv-js": { version: "5.0.0-release.1", use: "ORB's baselines" },
  bullmq: { version: "6.7.0", use: "queues of jobs" },
  fastify: { version: "5.12.8", use: "services" },
  h5wasm: { version: "0.10.3", use: "HDF5 files" },
  ioredis: { version: "5.11.1", use: "queues on Redis" },
  linkedom: { version: "0.18.15", use: "reports with plots" },
  "opencv-js-4": {
    version: "4.12.0-release.1",
    use: "AKAZE's baselines",
    source: "npm:@techstark/opencv-js@",
  },
  pg: { version: "8.23.1", use: "queues on PostgreSQL" },
  "sql.js": { version: "1.16.0", use: "COLMAP's databases" },
  "tar-stream": { version: "3.2.2", use: "tar archives" },
} as const satisfies Record<string, Peer>;

export type PeerName = keyof typeof PEERS;

/** What is known of a package without loading it: its version, undefined where only that it is there; null: it is not. */
export type PackageFinder = (name: string) => { version?: string } | null;

let find: PackageFinder = () => ({});

/** The Node door says how packages are found. A page takes what it was built with. */
export function setPackageFinder(finder: PackageFinder): void {
  find = finder;
}

/**
 * Throws an UnsupportedError where a package is not installed, or in another major version. Before it is imported, and
 * before any work whose end will need it.
 */
export function checkPeer(name: PeerName): void {
  const found = find(name);
  if (found === null) throw missing(name);
  if (found.version !== undefined) checkPeerVersion(name, found.version);
}

/** Throws an UnsupportedError for a version that does not fit, also one that a package itself tells once it is loaded. */
export function checkPeerVersion(name: PeerName, found: string): void {
  if (isCompatible(found, PEERS[name].version)) return;
  throw new UnsupportedError(`${needs(name)}, and ${found} is installed; run "${command(name)}"`);
}

/** What to throw where a package does not load: an UnsupportedError that says how it is installed, or the limit met. */
export function peerError(name: PeerName, cause: unknown): Error {
  const limit = asLimit(cause);
  if (limit !== cause && limit instanceof Error) return limit;
  if (isMissing(name, cause)) return missing(name, cause);
  const [said] = String(cause instanceof Error ? cause.message : cause).split("\n");
  return new UnsupportedError(`${needs(name)}, which does not load (${said}); run "${command(name)}"`, { cause });
}

const missing = (name: PeerName, cause?: unknown): UnsupportedError =>
  new UnsupportedError(`${needs(name)}, which is not installed; run "${command(name)}"`, { cause });

const needs = (name: PeerName): string => {
  const { use, version } = PEERS[name];
  return `${use[0].toUpperCase()}${use.slice(1)} need the package ${name} ^${version}`;
};

/** Beside strata: where that is installed globally, with -g. */
const command = (name: PeerName): string => {
  const { version, source = "" }: Peer = PEERS[name];
  return `npm install ${name}@${source}${version}`;
};

/** Node's code and bundlers' words for a package that is not there; one that it needs itself is not meant. */
function isMissing(name: string, cause: unknown): boolean {
  const { code, message } = Object(cause) as { code?: unknown; message?: unknown };
  const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" || /resolve/i.test(String(message));
  return missing && String(message).includes(name);
}

/** Whether `found` may stand for `wanted`: the same first number that is not 0, and not older. */
export function isCompatible(found: string, wanted: string): boolean {
  const [a, b] = [found, wanted].map((version) => version.split(/[.+-]/, 3).map(Number));
  const first = b.findIndex((part) => part > 0);
  for (const [i, part] of b.entries()) {
    if (a[i] !== part) return i > first && a[i] > part;
  }
  return true;
}
