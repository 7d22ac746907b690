/** Imported for its effect: jax-js is there at once, for modules whose functions compute on its arrays directly. */
import * as Jax from "@jax-js/jax";
import { setJax } from "./jax.js";

setJax(Jax);
