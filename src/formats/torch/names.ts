/**
 * The harmless names that a PyTorch checkpoint may contain, and what each stands for here. The list is closed: PyTorch's
 * own `weights_only` loading draws the same line. Nothing is imported and nothing is called but the functions below.
 */
import { FormatError } from "../../errors.js";
import { PickleRecord, type PickleValue } from "../pickle/values.js";
import { checkTensor, DTYPE_NAMES, isIndex, rebuildTensor, rebuildTensorV3, STORAGE_NAMES } from "./storage.js";

/** The whitelist for `unpickle`; `where` begins every error. */
export function torchNames(where: string): Map<string, ((args: PickleValue[]) => PickleValue) | null> {
  const dictionary = (args: PickleValue[]) => {
    if (args.length > 0) throw new FormatError(`${where}: a dictionary is made from arguments, which is not expected`);
    return new Map();
  };
  const first = ([value]: PickleValue[]) => value ?? [];
  const parameter = ([tensor]: PickleValue[]) => checkTensor(where, tensor);
  const names = new Map<string, ((args: PickleValue[]) => PickleValue) | null>([
    ["collections.OrderedDict", dictionary],
    ["collections.defaultdict", () => new Map()],
    ["collections.Counter", ([counts]) => (counts instanceof Map ? counts : new Map())],
    ["builtins.set", first],
    ["__builtin__.set", first],
    ["torch.Size", first],
    ["torch.device", ([kind, index]) => `${typeof kind === "string" ? kind : "?"}${isIndex(index) ? `:${index}` : ""}`],
    ["torch._utils._rebuild_tensor", (args) => rebuildTensor(where, args)],
    ["torch._utils._rebuild_tensor_v2", (args) => rebuildTensor(where, args)],
    ["torch._utils._rebuild_tensor_v3", (args) => rebuildTensorV3(where, args)],
    ["torch._utils._rebuild_parameter", parameter],
    ["torch._utils._rebuild_parameter_with_state", parameter],
    ["argparse.Namespace", () => new PickleRecord()],
  ]);
  for (const parsing of ["pytorch_lightning.utilities.parsing", "lightning.pytorch.utilities.parsing"]) {
    names.set(`${parsing}.AttributeDict`, dictionary);
  }
  for (const data of ["lightning_fabric.utilities.data", "lightning.fabric.utilities.data"]) {
    names.set(`${data}.AttributeDict`, dictionary);
  }
  // Early Lightning names its callbacks' classes as keys of a dictionary; they are never called.
  for (const callback of ["model_checkpoint.ModelCheckpoint", "early_stopping.EarlyStopping"]) {
    names.set(`pytorch_lightning.callbacks.${callback}`, null);
  }
  for (const kind of ["dict", "list", "int", "float", "bool", "str"]) {
    names.set(`builtins.${kind}`, null);
    names.set(`__builtin__.${kind}`, null);
  }
  for (const name of [...STORAGE_NAMES, ...DTYPE_NAMES]) names.set(name, null);
  return names;
}
