/** What the service answers to: routes with their schemas, from which the pages at /docs are made. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OptionError } from "../../errors.js";
import type { Metrics } from "./metrics.js";
import { PAGE, PAGE_POLICY } from "./page.js";
import type { Threads } from "./threads.js";
import type { Right } from "./tokens.js";
import { pictureOf, picturesOf } from "./upload.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may ask; default: everybody. */
    right?: Right;
    /** Whether it costs a thread's time. */
    isWork?: boolean;
  }
}

/** Most results of a search. */
const MOST_RESULTS = 100;

const ERROR = {
  type: "object",
  properties: { code: { type: "string" }, message: { type: "string" } },
  required: ["code", "message"],
} as const;

const errors = (...codes: number[]) => Object.fromEntries(codes.map((code) => [code, ERROR]));
const PICTURE = ["image/*", "application/octet-stream", "multipart/form-data"];
const REFUSALS = [400, 401, 403, 413, 415, 422, 429, 503, 504];
const object = (properties: object) => ({ type: "object", properties, additionalProperties: true });
const [TEXT, NUMBER, WHOLE, FLAG] = ["string", "number", "integer", "boolean"].map((type) => ({ type }));
const SECURITY = [{ token: [] }];

export function addRoutes(app: FastifyInstance, threads: Threads, metrics: Metrics, isStopping: () => boolean): void {
  const typeOf = (request: FastifyRequest) => request.headers["content-type"] ?? "";

  app.get("/", { schema: { hide: true } }, async (_, reply: FastifyReply) => {
    return reply.type("text/html; charset=utf-8").header("Content-Security-Policy", PAGE_POLICY).send(PAGE);
  });

  app.get(
    "/health",
    {
      schema: {
        summary: "Whether the service takes work",
        response: { 200: object({ status: TEXT, images: WHOLE }), 503: object({ status: TEXT, images: WHOLE }) },
      },
    },
    async (_, reply) => {
      const isUp = !isStopping() && threads.load.readers > 0;
      return reply
        .code(isUp ? 200 : 503)
        .send({ status: isUp ? "ok" : isStopping() ? "stopping" : "starting", images: threads.images });
    },
  );

  app.get(
    "/metrics",
    {
      config: { right: "read" },
      schema: { summary: "Counts and times, in Prometheus' text format", security: SECURITY, response: { 200: TEXT } },
    },
    async (_, reply) => reply.type("text/plain; version=0.0.4; charset=utf-8").send(metrics.text()),
  );

  app.post<{ Querystring: { id: string } }>(
    "/images",
    {
      config: { right: "write", isWork: true },
      schema: {
        summary:
          "Put a picture into the index, or in the place of the one of that id; it is on the disk when this answers",
        security: SECURITY,
        consumes: PICTURE,
        querystring: {
          ...object({ id: { type: "string", minLength: 1, description: "what it is called in results" } }),
          required: ["id"],
        },
        response: {
          ...Object.fromEntries(
            [200, 201].map((code) => [code, object({ id: TEXT, keypoints: WHOLE, replaced: FLAG, images: WHOLE })]),
          ),
          ...errors(...REFUSALS),
        },
      },
    },
    async (request, reply) => {
      const image = await pictureOf(typeOf(request), request.body, "image");
      const added = await threads.run({ type: "add", image, id: request.query.id });
      return reply.code(added.replaced ? 200 : 201).send(added);
    },
  );

  app.delete<{ Params: { id: string } }>(
    "/images/:id",
    {
      config: { right: "write", isWork: true },
      schema: {
        summary: "Take a picture out of the index (its id with %2F for /)",
        security: SECURITY,
        params: object({ id: TEXT }),
        response: { 200: object({ id: TEXT, removed: FLAG, images: WHOLE }), ...errors(401, 403, 404, 429, 503, 504) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const answer = await threads.run({ type: "remove", id });
      if (answer.removed) return answer;
      return reply.code(404).send({ code: "E_OPTION", message: `there is no image "${id}" in the index` });
    },
  );

  app.post<{ Querystring: { top?: number; verify?: number; region?: string } }>(
    "/search",
    {
      config: { right: "read", isWork: true },
      schema: {
        summary: "The images of the index that a picture shows, the surest first",
        security: SECURITY,
        consumes: PICTURE,
        querystring: object({
          top: { type: "integer", minimum: 1, maximum: MOST_RESULTS, default: 10 },
          verify: { type: "integer", minimum: 0, maximum: 200, description: "candidates whose geometry is verified" },
          region: { type: "string", description: "left,top,width,height: the part that is looked for, in pixels" },
        }),
        response: {
          200: object({
            results: {
              type: "array",
              items: object({ id: TEXT, score: NUMBER, found: FLAG, probability: NUMBER, inliers: WHOLE }),
            },
            keypoints: WHOLE,
            images: WHOLE,
            verified: WHOLE,
            damaged: { type: "array", items: TEXT },
          }),
          ...errors(...REFUSALS),
        },
      },
    },
    async (request) => {
      const { top = 10, verify, region } = request.query;
      const image = await pictureOf(typeOf(request), request.body, "image");
      return threads.run({ type: "search", image, top, verify, region: regionOf(region) });
    },
  );

  app.post(
    "/match",
    {
      config: { right: "read", isWork: true },
      schema: {
        summary: "Two pictures, a and b: the homography between them, and whether they show the same",
        security: SECURITY,
        consumes: ["multipart/form-data"],
        response: { 200: object({}), ...errors(...REFUSALS) },
      },
    },
    async (request) => {
      const [a, b] = await picturesOf(typeOf(request), request.body, ["a", "b"]);
      return threads.run({ type: "match", a, b });
    },
  );
}

function regionOf(text: string | undefined): [number, number, number, number] | undefined {
  if (text === undefined) return undefined;
  const numbers = text.split(",").map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.length === 4 && numbers.every(Number.isSafeInteger)) return numbers as [number, number, number, number];
  throw new OptionError("region must be left,top,width,height in whole pixels");
}
