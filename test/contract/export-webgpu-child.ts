/** A small exported model on WebGPU against the library; prints the report as one line of JSON. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnsupportedError } from "../../src/errors.js";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import { checkExport, exportModel } from "../../src/node/export.js";
import { writeModelFolder } from "../../src/node/model-folder.js";
import { noiseImage, strataTensors, TINY } from "../models.js";

const folder = mkdtempSync(join(tmpdir(), "strata-export-"));
try {
  const open = { model: join(folder, "model"), scales: [1, 0.5] };
  await writeModelFolder(open.model, writeSafetensors(strataTensors()), { ...TINY });
  const report = await exportModel(join(folder, "tiny.onnx"), open);
  const images = [{ name: "noise", read: async () => noiseImage(61, 43) }];
  const [checked] = await checkExport(readFileSync(report.out), report, open, images, { runtimes: ["webgpu"] });
  console.log(JSON.stringify(checked));
} catch (error) {
  if (!(error instanceof UnsupportedError)) throw error;
  console.log(JSON.stringify({ absent: error.message }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// Dawn's threads outlive the sessions.
process.exit(0);
