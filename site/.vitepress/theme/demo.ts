/** The app's Match on its two samples, within the page. It is loaded when it is asked for: it takes more than the page itself. */
import { withBase } from "vitepress";
import { defineComponent, h, ref } from "vue";

export const Demo = defineComponent({
  setup() {
    const shown = ref(false);
    return () =>
      h("section", { class: "demo", "aria-label": "Demo" }, [
        shown.value
          ? h("iframe", {
              src: `${withBase("/app/index.html")}#/match?model=strata-t`,
              title: "strata matches two pictures",
            })
          : h("div", { class: "demo-start" }, [
              h("picture", [
                h("source", {
                  srcset: withBase("/pictures/match-result-1280-dark.webp"),
                  media: "(prefers-color-scheme: dark)",
                }),
                h("img", {
                  src: withBase("/pictures/match-result-1280-light.webp"),
                  alt: "Two drawn pictures side by side, lines between the points that they share",
                  width: 1280,
                  height: 800,
                }),
              ]),
              h("button", { type: "button", onClick: () => (shown.value = true) }, "Run it here (4 MB)"),
            ]),
        h("p", [
          "Two sample pictures, matched on this device. ",
          h("a", { href: withBase("/app/index.html"), target: "_self" }, "Open the whole app"),
          " to use your own.",
        ]),
      ]);
  },
});
