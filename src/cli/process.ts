/** The command line in a real process: its streams, and an exit code that says whether the results have arrived. */
import "../node/packages.js";
import { ioError } from "../node/atomic.js";
import { askOn } from "./ask.js";
import { type Context, EXIT, processInterrupt } from "./context.js";
import { nodeEngine } from "./engine.js";
import { main } from "./main.js";
import { openOutput } from "./output.js";
import { errorText } from "./report-error.js";

/**
 * Runs one command line and gives the exit code once both streams are flushed. Results that could not be delivered (a full
 * disk, a pipe that its reader closed) are an error, told when the work is done; what standard error loses is not.
 */
export async function runProcess(argv: readonly string[]): Promise<number> {
  const [out, err] = [openOutput(process.stdout), openOutput(process.stderr)];
  const context: Context = {
    engine: nodeEngine,
    out: out.write,
    err: err.write,
    terminal: process.stderr.isTTY === true,
    ask: process.stdin.isTTY && process.stderr.isTTY ? askOn(process.stdin, process.stderr) : undefined,
    listenForInterrupt: processInterrupt,
  };
  const code = await main(argv, context);
  const lost = await out.flush();
  if (lost) err.write(errorText(ioError("write to", "standard output", lost), argv.includes("--debug")));
  await err.flush();
  return lost && code === EXIT.ok ? EXIT.failed : code;
}
