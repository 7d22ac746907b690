/** Extraction in headless Chromium, timed inside the page: what the runtime of the web makes of the same graph. */
import { servePage } from "../test/browser/serve.js";
import { summarize, type Timing } from "./harness.js";

/** `model` is the address of a folder below the repository's root. */
export async function timeInChromium(model: string): Promise<{ timing: Timing; note: string }> {
  const served = await servePage();
  try {
    const { times, count, session } = await served.page.evaluate(async (address) => {
      const path = "/bench/in-page.ts";
      const { timeExtraction } = (await import(path)) as typeof import("./in-page.js");
      return timeExtraction(address, [640, 480], { warmup: 2, repeats: 7 });
    }, model);
    const where = `${session?.backend}, ${session?.threads} threads`;
    return { timing: summarize(times), note: `${count} keypoints; ${where}` };
  } finally {
    await served.close();
  }
}
