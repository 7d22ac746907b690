/** The whole table, in groups. */
import type { Case } from "./case.js";
import { convCases } from "./conv.js";
import { elementwiseCases } from "./elementwise.js";
import { linalgCases } from "./linalg.js";
import { movementCases } from "./movement.js";
import { networkCases } from "./network.js";
import { poolCases } from "./pool.js";
import { wholeCases } from "./whole.js";

export const GROUPS: Record<string, readonly Case[]> = {
  elementwise: elementwiseCases,
  "whole numbers, bools, bits": wholeCases,
  "movement and reductions": movementCases,
  "products and convolutions": convCases,
  pooling: poolCases,
  "networks and losses": networkCases,
  "linear algebra and precisions": linalgCases,
};

export const CASES: readonly Case[] = Object.values(GROUPS).flat();
