/** Views whose scripts are loaded when they are asked for, so that the first one does not wait for them. */

import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failure } from "./parts.js";
import { messageOf, type ViewProps } from "./view.js";

export function later(load: () => Promise<FunctionComponent<ViewProps>>): FunctionComponent<ViewProps> {
  return function Later(props: ViewProps) {
    const [View, setView] = useState<FunctionComponent<ViewProps> | null>(null);
    const [failure, setFailure] = useState("");
    useEffect(() => {
      load().then(
        (loaded) => setView(() => loaded),
        (error) => setFailure(`This part of the page does not arrive: ${messageOf(error)}. Load the page again.`),
      );
    }, []);
    return View ? <View {...props} /> : <Failure message={failure} />;
  };
}
