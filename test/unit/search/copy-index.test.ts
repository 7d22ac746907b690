/** An index copied file by file: whole, refused where one is, and not begun where there is none. */
import { expect, it } from "vitest";
import { copyIndex, createIndex, memoryStore, openIndex } from "../../../src/search/index.js";
import { drawnFeatures, smallVocabulary, VERDICT } from "./samples.js";

const made = async () => {
  const store = memoryStore("photos");
  const index = await createIndex(store, { vocabulary: await smallVocabulary(), verdict: VERDICT });
  for (const id of ["a", "b"]) {
    await index.add({ id, features: drawnFeatures(id.charCodeAt(0)) });
    await index.commit();
  }
  await index.close();
  return store;
};

it("copies every file that counts, and leaves out what does not", async () => {
  const store = await made();
  await store.write("segment-00000099.strata", Uint8Array.of(1, 2, 3));
  const copy = memoryStore("copy");
  const files = await copyIndex(store, copy);
  expect(files.at(-1)).toBe("manifest.json");
  expect((await copy.list()).sort()).toEqual([...files].sort());
  expect(files).not.toContain("segment-00000099.strata");
  const index = await openIndex(copy);
  expect(await index.check()).toEqual([]);
  expect([...(await index.entries()).keys()]).toEqual(["a", "b"]);
});

it("writes no manifest where a file is missing, and leaves an index that is there alone", async () => {
  const store = await made();
  await store.remove("segment-00000002.strata");
  const copy = memoryStore("copy");
  await expect(copyIndex(store, copy)).rejects.toThrow("photos: segment-00000002.strata is missing");
  expect(await copy.list()).not.toContain("manifest.json");
  const other = await made();
  await expect(copyIndex(await made(), other)).rejects.toThrow("photos: there is an index already");
  await expect(copyIndex(memoryStore("none"), copy)).rejects.toThrow("none: there is no index");
  // Every lock was let go.
  await (await openIndex(other, { write: true })).close();
});
