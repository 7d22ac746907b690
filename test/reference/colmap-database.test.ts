/** Real features to COLMAP: two images of every sequence of hseq, matched and verified, in a database that holds. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Features } from "../../src/features.js";
import { databaseFeatures, toColmapDatabase, type VerifiedPair } from "../../src/formats/colmap-results.js";
import { cornerError } from "../../src/geometry/corner-error.js";
import { verifyMatches } from "../../src/geometry/two-view.js";
import { setDefaultRuntime } from "../../src/graph/session.js";
import { matchFeatures } from "../../src/match/index.js";
import { loadColmapDatabase, saveColmapDatabase } from "../../src/node/colmap-database.js";
import { openExtractor } from "../../src/node/extractor.js";
import { loadImage } from "../../src/node/images.js";
import { nodeRuntime } from "../../src/node/runtime.js";
import { describeShared } from "../shared.js";
import { describePython, python } from "../unit/formats/python.js";

const SEQUENCES = ["i_bikes", "i_iguazu", "i_ubc", "v_boat", "v_churchill", "v_graf"];

describeShared("a COLMAP database of hseq", (shared) => {
  describePython(
    "as Python's SQLite and we read it",
    (folder) => {
      it("is whole and gives homographies and points back", async () => {
        setDefaultRuntime(nodeRuntime);
        const extractor = await openExtractor({ maxEdge: 480, maxFeatures: 500 });
        const features = new Map<string, Features>();
        const pairs: VerifiedPair[] = [];
        for (const sequence of SEQUENCES) {
          const [a, b] = ["1.png", "2.png"].map((file) => `${sequence}/${file}`);
          for (const name of [a, b]) {
            features.set(name, await extractor.extract(await loadImage(join(shared, "hseq", name))));
          }
          const ends = [features.get(b) as Features, features.get(a) as Features] as const;
          // Matched from the second image to the first: the database turns the pair round.
          const matches = await matchFeatures(...ends);
          pairs.push({ name0: b, name1: a, matches, verified: await verifyMatches(...ends, matches) });
        }
        await extractor.dispose();
        const path = join(folder, "hseq.db");
        await saveColmapDatabase(path, toColmapDatabase(features, pairs));

        const seen = python("read_colmap.py", path) as Record<string, unknown[][]>;
        expect(seen.integrity).toEqual([["ok"]]);
        expect(seen.foreign).toEqual([]);
        expect(seen.images).toHaveLength(12);
        expect(seen.keypoints.map(([, rows]) => rows)).toEqual(new Array(12).fill(500));
        expect(seen.matches).toHaveLength(6);

        const database = await loadColmapDatabase(path);
        const read = databaseFeatures(database);
        for (const [name, given] of features) {
          const found = read.get(name) as Features;
          expect(found.imageSize).toEqual(given.imageSize);
          for (const [k, value] of given.keypoints.entries())
            expect(Math.abs(found.keypoints[k] - value)).toBeLessThan(7e-5);
        }
        for (const [k, { geometry }] of database.pairs.entries()) {
          const sequence = SEQUENCES[k];
          expect(geometry?.inliers, sequence).toHaveLength(2 * (pairs[k].verified?.inliers.length ?? 0));
          const truth = readFileSync(join(shared, "hseq", sequence, "H_1_2"), "utf8")
            .trim()
            .split(/\s+/)
            .map(Number);
          const { imageSize } = features.get(`${sequence}/1.png`) as Features;
          expect(cornerError(geometry?.homography ?? null, truth, imageSize), sequence).toBeLessThan(8);
        }
        writeFileSync(`${path}-wal`, "x");
        await expect(loadColmapDatabase(path)).rejects.toThrow("its newest changes are still in");
      });
    },
    { packages: "python3", modules: "sqlite3" },
  );
});
