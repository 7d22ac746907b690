/** What is told of a model that does not arrive whole: names that a reader knows, and no files in the middle of a sentence. */
import { expect, it } from "vitest";
import { fetchModel } from "../../../src/web/model-files.js";

const inAddress = (text: string) => `data:application/json;base64,${btoa(text)}`;

it("tells addresses that hold a file in a few letters", async () => {
  const config = inAddress(JSON.stringify({ sha256: "0".repeat(64), filler: "x".repeat(3000) }));
  const weights = inAddress("y".repeat(3000));
  const opening = fetchModel({ config, weights, graph: "" }, { code: "", cache: false });
  await expect(opening).rejects.toThrow(
    /^data:application\/json;base64,…: the weights have SHA-256 [0-9a-f]{64}, data:application\/json;base64,… says 0{64}; the download/,
  );
  const broken = fetchModel({ config: inAddress("{".repeat(3000)), weights, graph: "" }, { code: "", cache: false });
  const message = await broken.catch((error: Error) => error.message);
  expect(message).toMatch(/config\.json/);
});
