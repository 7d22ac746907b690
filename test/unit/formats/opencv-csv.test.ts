import { describe, expect, it } from "vitest";
import { FormatError, OptionError, ShapeError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { readFeaturesCsv, readMatchesCsv, writeFeaturesCsv, writeMatchesCsv } from "../../../src/formats/csv.js";
import {
  type OpenCvPair,
  readOpenCvFeatures,
  readOpenCvMatches,
  writeOpenCvFeatures,
  writeOpenCvMatches,
} from "../../../src/formats/opencv-json.js";
import { fuzz } from "../../fuzz.js";
import { expectSound, sampleFeatures } from "./samples.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const PAIR: OpenCvPair = {
  name0: 'a, "b".jpg',
  name1: "c\n.jpg",
  matches: { count: 2, pairs: Uint32Array.of(0, 3, 2, 1), scores: Float32Array.of(0.98, -0.1) },
  homography: { matrix: Float64Array.of(1, 0, 0.1, 0, 1, 2, 1e-5, 0, 1), inliers: Uint32Array.of(1) },
};
const bare = ({ homography: _, ...pair }: OpenCvPair) => pair;

describe("OpenCV's JSON", () => {
  it("has KeyPoints, DMatches and matrices as cv::FileStorage writes them", () => {
    const features = { ...sampleFeatures(1, { dim: 2 }), keypoints: Float32Array.of(1.5, 2), levels: Uint8Array.of(2) };
    const json = JSON.parse(text(writeOpenCvFeatures(features)));
    const score = Number(features.scores[0].toPrecision(9));
    expect(json.keypoints).toEqual([[1.5, 2, 1, -1, score, 2, -1]]);
    expect(json.descriptors).toMatchObject({ type_id: "opencv-matrix", rows: 1, cols: 2, dt: "f" });
    const [pair] = JSON.parse(text(writeOpenCvMatches([PAIR]))).pairs;
    expect(pair.matches[0].slice(0, 3)).toEqual([0, 3, 0]);
    expect(pair.matches[0][3]).toBeCloseTo(0.2, 6);
    expect(pair.homography).toMatchObject({ rows: 3, cols: 3, dt: "d", data: [1, 0, 0.1, 0, 1, 2, 1e-5, 0, 1] });
  });

  it("comes back exactly, also without keypoints, levels, matches or a homography", () => {
    for (const features of [sampleFeatures(5), sampleFeatures(0), sampleFeatures(3, { levels: false, dim: 3 })]) {
      expect(readOpenCvFeatures(writeOpenCvFeatures(features))).toEqual(features);
    }
    const none = {
      name0: "x",
      name1: "y",
      matches: { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) },
    };
    for (const pairs of [[], [PAIR], [bare(PAIR), none]]) {
      expect(readOpenCvMatches(writeOpenCvMatches(pairs))).toEqual(pairs);
    }
  });

  it("of other programs is read: bytes of ORB, no size, no scores", () => {
    const orb = {
      keypoints: [[3, 4, 31, 90.5, 0.001, 1, -1]],
      descriptors: { type_id: "opencv-matrix", rows: 1, cols: 4, dt: "u", data: [0, 255, 7, 9] },
    };
    const bytes = encodeUtf8(JSON.stringify(orb));
    expect(readOpenCvFeatures(bytes, [10, 20])).toEqual({
      count: 1,
      dim: 4,
      imageSize: [10, 20],
      keypoints: Float32Array.of(3, 4),
      scores: Float32Array.of(0.001),
      kind: "binary",
      descriptors: Uint8Array.of(0, 255, 7, 9),
    });
    expect(() => readOpenCvFeatures(bytes)).toThrow(OptionError);
    const pairs = [{ name0: "a", name1: "b", matches: [[1, 2, 0, 1]] }];
    const [{ matches }] = readOpenCvMatches(encodeUtf8(JSON.stringify({ pairs })));
    expect(matches).toEqual({ count: 1, pairs: Uint32Array.of(1, 2), scores: Float32Array.of(0.5) });
  });

  it("is refused where it does not fit", () => {
    const features = JSON.parse(text(writeOpenCvFeatures(sampleFeatures(2, { dim: 2 }))));
    const read = (change: object) => () => readOpenCvFeatures(encodeUtf8(JSON.stringify({ ...features, ...change })));
    expect(read({ keypoints: [[1, 2]] })).toThrow('"keypoints[0]" must be a list of 7 numbers');
    expect(read({ descriptors: { ...features.descriptors, rows: 9 } })).toThrow('"descriptors" must be a list of 18');
    expect(read({ descriptors: { ...features.descriptors, rows: 1, cols: 4 } })).toThrow("descriptors must be [2, D]");
    expect(read({ descriptors: [1] })).toThrow(FormatError);
    expect(() => readOpenCvMatches(encodeUtf8("[]"))).toThrow("not a JSON object");
    const matches = (change: object) => () =>
      readOpenCvMatches(encodeUtf8(JSON.stringify({ pairs: [{ name0: "a", name1: "b", matches: [], ...change }] })));
    expect(matches({ matches: [[0.5, 1, 0, 1]] })).toThrow("no indices of keypoints");
    expect(matches({ name1: 3 })).toThrow('"name0" and "name1"');
    expect(matches({ scores: [1] })).toThrow("a list of 0 numbers");
    const homography = { type_id: "opencv-matrix", rows: 3, cols: 3, dt: "d", data: new Array(9).fill(1) };
    expect(matches({ homography, inliers: [0] })).toThrow("indices of its 0 matches");
    expect(matches({ homography: { ...homography, dt: "f" } })).not.toThrow();
  });
});

describe("comma-separated values", () => {
  it("have a line of names and one per keypoint", () => {
    const features = {
      ...sampleFeatures(1, { dim: 2 }),
      keypoints: Float32Array.of(1.5, 2),
      scores: Float32Array.of(0.1),
    };
    const lines = text(writeFeaturesCsv({ ...features, descriptors: Float32Array.of(0.6, -0.8) })).split("\r\n");
    expect(lines).toEqual(["x,y,score,level,d0,d1", "1.5,2,0.100000001,0,0.600000024,-0.800000012", ""]);
  });

  it("come back exactly", () => {
    for (const features of [sampleFeatures(5), sampleFeatures(0), sampleFeatures(3, { levels: false, dim: 12 })]) {
      expect(readFeaturesCsv(writeFeaturesCsv(features), [640, 480])).toEqual(features);
    }
    const features = new Map<string, Features>([
      [PAIR.name0, sampleFeatures(3)],
      [PAIR.name1, sampleFeatures(4)],
    ]);
    const csv = writeMatchesCsv([PAIR, { ...bare(PAIR), name0: PAIR.name1 }], features);
    expect(readMatchesCsv(csv)).toEqual([bare(PAIR), { ...bare(PAIR), name0: PAIR.name1 }]);
    const lines = text(csv).split("\r\n");
    expect(lines[0]).toBe("name0,name1,index0,index1,x0,y0,x1,y1,score,inlier");
    expect(lines[1]).toMatch(/^"a, ""b"".jpg","c\n.jpg",0,3,[\d.]+,[\d.]+,[\d.]+,[\d.]+,0\.98\d*,0$/);
    expect(lines.map((line) => line.at(-1))).toEqual(["r", "0", "1", ",", ",", undefined]);
    expect(text(writeMatchesCsv([bare(PAIR)], features))).not.toContain("inlier");
    expect(() => writeMatchesCsv([PAIR], new Map([[PAIR.name0, sampleFeatures(3)]]))).toThrow(ShapeError);
    expect(() => writeMatchesCsv([PAIR], new Map(features).set(PAIR.name1, sampleFeatures(2)))).toThrow(
      "match 0 joins 0 and 3 of 3 and 2",
    );
  });

  it("of other programs are read: columns in any order, quotes, a byte order mark, bare line ends", () => {
    const csv = '\uFEFF"d1",y,x,note,d0,score\n1.6,2,1,"a ""b"", c",-1.2,7\n\n';
    expect(readFeaturesCsv(encodeUtf8(csv), [9, 9])).toEqual({
      count: 1,
      dim: 2,
      imageSize: [9, 9],
      keypoints: Float32Array.of(1, 2),
      scores: Float32Array.of(7),
      descriptors: Float32Array.of(-0.6, 0.8),
    });
  });

  it("are refused where they do not fit", () => {
    const read = (csv: string) => () => readFeaturesCsv(encodeUtf8(csv), [9, 9]);
    expect(read("")).toThrow("no line that names the columns");
    expect(read("x,score,d0\n1,2,3")).toThrow("must name the columns x, y, score, d0");
    expect(read("x,y,score,d0,d2\n1,2,3,4,5")).toThrow("must name the columns x, y, score, d0");
    expect(read("x,y,score,d0\n1,2,3")).toThrow("row 1 has 3 fields, expected 4");
    expect(read("x,y,score,d0\n1,2,,4")).toThrow('row 1: score is ""');
    expect(read("x,y,score,d0\n1,2,3,4\n1,NaN,3,4")).toThrow('row 2: x or y is "NaN"');
    expect(read('x,y,score,d0\n1,2"3,3,4')).toThrow("line 2: a quote");
    expect(read('x,y,score,d0\n1,2,3,"4')).not.toThrow();
    expect(read("x,y,score,level,d0\n1,2,3,300,4")).toThrow("levels[0] is 300");
    expect(() => readMatchesCsv(encodeUtf8("name0,name1,index0,index1\n"))).toThrow('no column "score"');
    expect(() => readMatchesCsv(encodeUtf8("name0,name1,index0,index1,score\na,b,-1,2,1"))).toThrow("-1 is no index");
  });
});

it("damaged JSON and CSV give sound features or a StrataError", async () => {
  const features = sampleFeatures(4, { dim: 3 });
  for (const [bytes, read] of [
    [writeOpenCvFeatures(features), (damaged: Uint8Array) => readOpenCvFeatures(damaged)],
    [writeFeaturesCsv(features), (damaged: Uint8Array) => readFeaturesCsv(damaged, [640, 480])],
  ] as const) {
    const { refused } = await fuzz(bytes, read, expectSound, { rounds: 500 });
    expect(refused).toBeGreaterThan(100);
  }
  const { refused } = await fuzz(writeOpenCvMatches([PAIR]), readOpenCvMatches, (pairs) => {
    for (const { matches } of pairs) expect(matches.pairs).toHaveLength(2 * matches.count);
  });
  expect(refused).toBeGreaterThan(100);
});
