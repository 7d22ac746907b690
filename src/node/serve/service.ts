/** The service: an index behind HTTP. What a request may cost is limited, and what is over a limit is refused at once. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { checkObject } from "../../check.js";
import { IoError, StateError, StrataError } from "../../errors.js";
import { checkNumber, withDefaults } from "../../options.js";
import { checkPeer, peerError } from "../../peers.js";
import { checkPath } from "../atomic.js";
import { packageVersion } from "../version.js";
import { Metrics } from "./metrics.js";
import { addRoutes } from "./routes.js";
import { BusyError, LateError, Threads } from "./threads.js";
import { rightOf, type Tokens } from "./tokens.js";

/** How an index is served. */
export interface ServeOptions {
  /** Port; 0: a free one. Default 8080. */
  port?: number;
  /** Address to listen on; default 127.0.0.1: this machine only. */
  host?: string;
  /** Whether pictures may be added and removed; false: another process may be the index's writer. Default true. */
  write?: boolean;
  /** Who may do what, as `tokensOf` reads it of the environment; default: everybody everything. */
  tokens?: Tokens;
  /** Threads that search, each with a model of its own; default 2. */
  readers?: number;
  /** Threads of the runtime in each of them; default 1. */
  threads?: number;
  /** Requests that may wait; more are refused with 503. Default 32. */
  waiting?: number;
  /**
   * Seconds for which a search may be expected to wait for a thread, by how long searches have taken; one that would wait longer is
   * refused with 503. Default 1.
   */
  longestWait?: number;
  /** Requests of one token, or one address, at once; more are refused with 429. Default 16. */
  perClient?: number;
  /** Most bytes of a body; default 20 MiB. */
  bodyLimit?: number;
  /** Most pixels of a picture; default 50 million. */
  pixelLimit?: number;
  /** Seconds that a request may take; default 30. */
  timeout?: number;
  /** What is worth telling, a line each. */
  onNote?(text: string): void;
}

/** A service that runs. */
export interface Service {
  /** Its address. */
  readonly url: string;
  /** Images in the index. */
  readonly images: number;
  /** Refuses new requests, finishes those at work, and closes the index. */
  close(): Promise<void>;
}

const DEFAULTS: Required<Omit<ServeOptions, "onNote">> = {
  port: 8080,
  host: "127.0.0.1",
  write: true,
  tokens: { write: [], read: [] },
  readers: 2,
  threads: 1,
  waiting: 32,
  longestWait: 1,
  perClient: 16,
  bodyLimit: 20 * 2 ** 20,
  pixelLimit: 50_000_000,
  timeout: 30,
};

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i;

/**
 * Serves the index in `folder`. An IoError where there is no index, another process writes into it, or the port is taken;
 * OptionError for what is out of range.
 */
export async function startService(folder: string, options: ServeOptions = {}): Promise<Service> {
  const where = "startService";
  checkPath(where, folder);
  const { onNote = () => {}, ...given } = checkObject(where, "options", options) as ServeOptions;
  const settings = withDefaults(where, DEFAULTS, given);
  const whole = { integer: true };
  checkNumber(where, "port", settings.port, { min: 0, max: 65535, ...whole });
  for (const name of ["readers", "threads", "perClient"] as const) {
    checkNumber(where, name, settings[name], { min: 1, max: 1024, ...whole });
  }
  checkNumber(where, "waiting", settings.waiting, { min: 0, max: 100_000, ...whole });
  checkNumber(where, "bodyLimit", settings.bodyLimit, { min: 1, max: 2 ** 30, ...whole });
  checkNumber(where, "pixelLimit", settings.pixelLimit, { min: 1 });
  checkNumber(where, "longestWait", settings.longestWait, { min: 0, max: 3600 });
  checkNumber(where, "timeout", settings.timeout, { min: 0.001, max: 3600 });
  for (const name of ["fastify", "@fastify/swagger", "@fastify/swagger-ui"] as const) checkPeer(name);
  const { readers, threads, write, waiting, pixelLimit, timeout } = settings;
  const work = await Threads.open({
    ...{ folder, readers, threads, write, waiting, pixelLimit, onNote },
    longestWait: 1000 * settings.longestWait,
    timeout: 1000 * timeout,
  });
  let stopping = false;
  let app: FastifyInstance | undefined;
  try {
    const gate = new Gate(settings, work, () => stopping);
    app = await openApp(settings, gate);
    addRoutes(app, work, gate.metrics, () => stopping);
    const url = await app.listen({ port: settings.port, host: settings.host });
    const opened = app;
    return {
      url,
      get images() {
        return work.images;
      },
      async close() {
        if (stopping) return;
        stopping = true;
        // Requests that have begun are answered; connections that idle are closed.
        await opened.close();
        await work.close();
      },
    };
  } catch (error) {
    await app?.close().catch(() => {});
    await work.close();
    const { code } = error as NodeJS.ErrnoException;
    const address = `${settings.host}:${settings.port}`;
    if (code === "EADDRINUSE") throw new IoError(`${address} is in use by another program; give another --port`);
    if (code === "EACCES") throw new IoError(`${address}: not permitted; ports below 1024 are the system's`);
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
      throw new IoError(`${settings.host} is no address of this machine`);
    throw error;
  }
}

async function openApp({ bodyLimit, timeout }: typeof DEFAULTS, gate: Gate): Promise<FastifyInstance> {
  const [{ fastify }, swagger, swaggerUi] = await Promise.all([
    load("fastify", () => import("fastify")),
    load("@fastify/swagger", () => import("@fastify/swagger")),
    load("@fastify/swagger-ui", () => import("@fastify/swagger-ui")),
  ]);
  const app = fastify({
    logger: false,
    bodyLimit,
    requestTimeout: 1000 * timeout,
    keepAliveTimeout: 5000,
    forceCloseConnections: "idle",
    return503OnClosing: true,
    routerOptions: { maxParamLength: 8192 },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false } },
  });
  app.removeAllContentTypeParsers();
  for (const type of [/^image\//, "application/octet-stream", /^multipart\/form-data/]) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  }
  gate.guard(app);
  await app.register(swagger.default, {
    openapi: {
      info: {
        title: "strata",
        description: "Which picture a photograph shows, where in it, and how sure that is.",
        version: packageVersion(),
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
  });
  await app.register(swaggerUi.default, { routePrefix: "/docs", staticCSP: true });
  return app;
}

async function load<T>(
  name: "fastify" | "@fastify/swagger" | "@fastify/swagger-ui",
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    throw peerError(name, cause);
  }
}

/** What every request passes: who asks, how much is asked already, and how errors are told. */
class Gate {
  readonly metrics: Metrics;
  private readonly clients = new Map<string, number>();
  private readonly counted = new WeakMap<FastifyRequest, string>();
  private open = 0;

  constructor(
    private readonly settings: typeof DEFAULTS,
    private readonly work: Threads,
    private readonly isStopping: () => boolean,
  ) {
    this.metrics = new Metrics([
      { name: "strata_index_images", help: "Images in the index.", read: () => work.images },
      { name: "strata_open", help: "Requests for work that are not answered yet.", read: () => this.open },
      { name: "strata_waiting", help: "Requests that wait for a thread.", read: () => work.load.waiting },
      {
        name: "strata_expected_wait_seconds",
        help: "How long a search that comes now may expect to wait for a thread.",
        read: () => work.expectedWait / 1000,
      },
      { name: "strata_working", help: "Requests that a thread is at.", read: () => work.load.working },
      { name: "strata_readers", help: "Threads that can search.", read: () => work.load.readers },
      { name: "process_resident_memory_bytes", help: "Memory of the process.", read: () => process.memoryUsage.rss() },
    ]);
  }

  guard(app: FastifyInstance): void {
    // Before the body is read.
    app.addHook("onRequest", async (request, reply) => this.enter(request, reply));
    app.addHook("onResponse", async (request, reply) => {
      const route = request.routeOptions.url ?? "none";
      this.metrics.note(
        request.method,
        route.startsWith("/docs") ? "/docs" : route,
        reply.statusCode,
        reply.elapsedTime / 1000,
      );
      this.leave(request);
    });
    app.addHook("onRequestAbort", async (request) => this.leave(request));
    app.setNotFoundHandler((_request, reply) => refuse(reply, 404, "there is no such address; /docs lists them"));
    app.setErrorHandler((error: FastifyError, _request, reply) => tell(reply, error));
  }

  private enter(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const { tokens, host, perClient, waiting, readers } = this.settings;
    const { right, isWork } = request.routeOptions.config;
    reply.header("X-Content-Type-Options", "nosniff");
    if (this.isStopping()) return refuse(reply.header("Connection", "close"), 503, "the service is stopping");
    const hasTokens = tokens.write.length + tokens.read.length > 0;
    if (right !== undefined && !hasTokens) {
      // A page of another site must not use what only this machine is meant to reach.
      const name = (request.headers.host ?? "").replace(/:\d+$/, "");
      if (LOOPBACK.test(host) && !LOOPBACK.test(name))
        return refuse(reply, 403, "this service answers to localhost only");
    }
    const { origin } = request.headers;
    if (right !== undefined && origin !== undefined && hostOf(origin) !== request.headers.host) {
      return refuse(reply, 403, "pages of other sites may not use this service");
    }
    if (right !== undefined) {
      const granted = rightOf(tokens, request.headers.authorization);
      if (granted === null) {
        reply.header("WWW-Authenticate", "Bearer");
        return refuse(reply, 401, "give a token of this service: Authorization: Bearer TOKEN");
      }
      if (right === "write" && granted === "read")
        return refuse(reply, 403, "this token may search, not change the index");
      if (right === "write" && !this.settings.write) return refuse(reply, 403, "this service only reads the index");
    }
    if (!isWork) return undefined;
    // As many bodies as are at work or may wait are in memory, and no more.
    const isMany = this.open >= waiting + readers + (this.settings.write ? 1 : 0);
    if (isMany || (right === "read" && this.work.isFull)) return tell(reply, this.work.busy());
    const client = hasTokens ? (request.headers.authorization ?? "") : request.ip;
    const count = this.clients.get(client) ?? 0;
    if (count >= perClient) {
      return refuse(
        reply.header("Retry-After", "1"),
        429,
        `more than ${perClient} requests at once; wait for answers before asking more`,
      );
    }
    this.clients.set(client, count + 1);
    this.counted.set(request, client);
    this.open++;
    return undefined;
  }

  private leave(request: FastifyRequest): void {
    const client = this.counted.get(request);
    if (client === undefined) return;
    this.counted.delete(request);
    this.open--;
    const count = (this.clients.get(client) ?? 1) - 1;
    if (count === 0) this.clients.delete(client);
    else this.clients.set(client, count);
  }
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}

const STATUS: Readonly<Record<string, number>> = {
  E_OPTION: 400,
  E_SHAPE: 400,
  E_FORMAT: 422,
  E_LIMIT: 413,
  E_UNSUPPORTED: 415,
  E_IO: 500,
  E_STATE: 503,
};

/** Errors as answers. What was not foreseen is told to nobody but the log of the process. */
function tell(reply: FastifyReply, error: FastifyError | StrataError): FastifyReply {
  if (error instanceof BusyError) return refuse(reply.header("Retry-After", `${error.seconds}`), 503, error.message);
  if (error instanceof LateError) return refuse(reply, 504, error.message);
  if (error instanceof StateError) return refuse(reply, 503, error.message);
  if (error instanceof StrataError) return refuse(reply, STATUS[error.code] ?? 500, error.message, error.code);
  if (error.statusCode === 413) return refuse(reply, 413, "the body is larger than this service takes", "E_LIMIT");
  if (error.statusCode === 415) {
    const wanted = "send a picture with an image/… type, application/octet-stream, or as a form (multipart/form-data)";
    return refuse(reply, 415, wanted, "E_UNSUPPORTED");
  }
  if (error.statusCode !== undefined && error.statusCode < 500)
    return refuse(reply, error.statusCode, error.message, "E_OPTION");
  process.emitWarning(error);
  return refuse(reply, 500, "the service failed; its log says why", "E_UNEXPECTED");
}

const CODES: Readonly<Record<number, string>> = { 429: "E_LIMIT", 503: "E_STATE", 504: "E_LIMIT" };

function refuse(
  reply: FastifyReply,
  status: number,
  message: string,
  code = CODES[status] ?? "E_OPTION",
): FastifyReply {
  return reply.code(status).type("application/json; charset=utf-8").send({ code, message });
}
