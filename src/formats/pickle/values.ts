/** The values that a pickle can hold: plain data, names, and what a caller makes of names. */

/** What a pickle can hold here. Tuples, lists and sets are arrays, dictionaries are Maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleName
  | PickleRecord
  | PickleForeign
  | PickleValue[]
  | Map<PickleValue, PickleValue>;

/** A class or function that the pickle names and the caller's table allows. */
export class PickleName {
  constructor(readonly name: string) {}
}

/** An object with attributes (argparse.Namespace and the like): its fields, set by BUILD. */
export class PickleRecord {
  fields: Map<PickleValue, PickleValue> = new Map();
}

/** Base of what a caller's table makes, such as a tensor; opaque to the reader. */
export abstract class PickleForeign {
  /** What it is, in a few words. */
  abstract describe(): string;
  /** Takes the state that BUILD hands over, checked; without it BUILD is refused. */
  setState?(state: PickleValue): void;
}
