/** VitePress's theme with the system's fonts, the app's colours, and the demo of the first page. */
import DefaultTheme from "vitepress/theme-without-fonts";
import { Demo } from "./demo.js";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }: { app: import("vue").App }) {
    app.component("Demo", Demo);
  },
};
