import { listImages, loadImage } from "strata-features/node";
import { indexImages, openPhotoIndex, openQueryExtractor, searchImage } from "strata-features/search";

// Make the index, or bring it up to date: the same call does both.
const { index, extractor } = await openPhotoIndex("photos.index");
const { added } = await indexImages(index, await listImages(["photos"]), extractor);
console.log(`${added} pictures added`);
await extractor.dispose();

// Which one does this photograph show?
const seeker = await openQueryExtractor(index);
const { results } = await searchImage(index, seeker, await loadImage("query.jpg"));
for (const { id, found, probability, inliers } of results) {
  if (found) console.log(`${id}: ${inliers} points agree, probability ${probability.toFixed(2)}`);
}
await seeker.dispose();
await index.close();
