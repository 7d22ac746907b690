/** The page's beginning. */
import { render } from "preact";
import { Shell } from "./shell.js";
import "./style.css";

render(<Shell />, document.getElementById("app") as HTMLElement);
