/** `strata serve`: an index behind HTTP, until it is told to stop. */
import { startService } from "../node/serve/service.js";
import { tokensOf } from "../node/serve/tokens.js";
import { type Context, EXIT } from "./context.js";

export interface ServeFlags {
  port?: number;
  host?: string;
  readOnly?: boolean;
  readers?: number;
  threads?: number;
  waiting?: number;
  longestWait?: number;
  perClient?: number;
  bodyLimit?: number;
  pixelLimit?: number;
  timeout?: number;
  debug?: boolean;
}

const HERE = ["localhost", "127.0.0.1", "::1"];

export async function serveCommand(folder: string, flags: ServeFlags, context: Context): Promise<number> {
  const { readOnly = false, bodyLimit, pixelLimit, debug: _, ...given } = flags;
  const tokens = tokensOf(process.env);
  const interrupt = context.listenForInterrupt();
  try {
    const service = await startService(folder, {
      ...given,
      write: !readOnly,
      tokens,
      bodyLimit: bodyLimit === undefined ? undefined : Math.round(bodyLimit * 2 ** 20),
      pixelLimit: pixelLimit === undefined ? undefined : pixelLimit * 1e6,
      onNote: (text) => context.err(`strata: note: ${text}\n`),
    });
    const isOpen = tokens.write.length + tokens.read.length === 0;
    if (isOpen && !HERE.includes(flags.host ?? HERE[0])) {
      context.err("strata: note: whoever reaches this service may change the index; STRATA_TOKENS keeps others out\n");
    }
    context.err(`strata: ${service.images} images at ${service.url}, its interface at ${service.url}/docs\n`);
    await interrupt.race(new Promise(() => {})).catch(() => {});
    context.err("strata: stopping; requests at work are finished\n");
    await service.close();
    return EXIT.ok;
  } finally {
    interrupt.release();
  }
}
