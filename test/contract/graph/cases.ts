/** The whole table, in groups. */
import type { Case } from "./case.js";
import { elementwiseCases } from "./elementwise.js";
import { movementCases } from "./movement.js";
import { wholeCases } from "./whole.js";

export const GROUPS: Record<string, readonly Case[]> = {
  elementwise: elementwiseCases,
  "whole numbers, bools, bits": wholeCases,
  "movement and reductions": movementCases,
};

export const CASES: readonly Case[] = Object.values(GROUPS).flat();
