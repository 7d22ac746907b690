/**
 * Shows this process one core. Two test processes run side by side, each with processes of its own: on a core each. A
 * second thread of ONNX Runtime would find no core free, and would spin while it waits, on the time of the others.
 */
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";

os.availableParallelism = () => 1;
syncBuiltinESMExports();
