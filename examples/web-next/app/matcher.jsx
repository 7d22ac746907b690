"use client";

import { useEffect, useRef, useState } from "react";
import { loadImage, matchImages, openExtractor } from "strata-features/web";

/** Two pictures of a picker, matched in the browser. The import runs on the server as well, where it opens nothing. */
export function Matcher() {
  const extractor = useRef(null);
  const [said, say] = useState("Loading …");

  // Effects run in the browser only.
  useEffect(() => {
    const opening = openExtractor({ model: "strata-xs" });
    extractor.current = opening;
    opening.then(() => say("Choose two pictures.")).catch((error) => say(error.message));
    return () => void opening.then((opened) => opened.dispose()).catch(() => {});
  }, []);

  async function match({ target }) {
    try {
      const [a, b] = await Promise.all([...target.files].slice(0, 2).map((file) => loadImage(file)));
      if (!b) return say("Choose two pictures at once.");
      const { homography, verdict } = await matchImages(await extractor.current, a, b, { match: { runtime: null } });
      say(`${verdict.verdict}: ${homography.inliers.length} points agree`);
    } catch (error) {
      say(error.message);
    }
  }

  return (
    <p>
      <input type="file" accept="image/*" multiple aria-label="Two pictures" onChange={match} /> <output>{said}</output>
    </p>
  );
}
