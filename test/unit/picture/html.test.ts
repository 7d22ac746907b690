import { beforeAll, describe, expect, it } from "vitest";
import { matchesHtml, type PictureInput } from "../../../src/picture/index.js";
import { pair } from "./pair.js";

let input: PictureInput;
beforeAll(async () => {
  input = await pair();
});

function parts(html: string) {
  const scripts = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
  return { scripts, data: JSON.parse(scripts[0][2]) as Record<string, number[] & number[][]> };
}

describe("matchesHtml", () => {
  it("carries the matches, best first, and nothing that would be fetched", () => {
    const html = matchesHtml(input);
    const { scripts, data } = parts(html);
    expect(scripts).toHaveLength(2);
    expect(data.scores).toHaveLength(42);
    expect(data.scores).toEqual([...data.scores].sort((a, b) => b - a));
    expect(data.inlier.filter(Boolean)).toHaveLength(30);
    expect(data.points[0]).toHaveLength(84);
    expect(data.errors).toHaveLength(42);
    const hrefs = [...html.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, href]) => href);
    expect(hrefs).toHaveLength(3);
    for (const href of hrefs) expect(href).toMatch(/^data:/);
    expect(html).not.toMatch(/https?:|url\(|@import|\bimport\(/);
    expect(html).toContain("default-src 'none'");
  });

  it("has a script that compiles and asks only for elements that are there, each of which has an id of its own", () => {
    const html = matchesHtml(input);
    const script = parts(html).scripts[1][2];
    expect(() => new Function(script)).not.toThrow();
    const ids = [...html.slice(0, html.indexOf("<script")).matchAll(/\bid="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const asked = [...script.matchAll(/\$\("(\w+)"\)/g)].map(([, id]) => id);
    expect(asked.length).toBeGreaterThan(10);
    for (const id of asked) expect(ids).toContain(id);
  });

  it("lets no name become markup or script", () => {
    const name = `</title></script><script>alert(1)</script><img src=x onerror="alert(2)">`;
    const html = matchesHtml({ ...input, imageA: { ...input.imageA, name }, imageB: { ...input.imageB, name } });
    expect(parts(html).scripts).toHaveLength(2);
    expect(html).not.toContain("<img src=x");
    expect(html).toContain("&lt;/title&gt;&lt;/script&gt;");
  });

  it("opens as the options say; without a homography there is nothing to lay over", () => {
    const html = matchesHtml({
      ...input,
      options: { outliers: false, maxLines: 7 },
      homography: { matrix: null, inliers: new Uint32Array(0) },
    });
    expect(html).toMatch(/id="outliers">/);
    expect(html).toMatch(/id="inliers" checked>/);
    expect(html).toMatch(/value="overlay" disabled>/);
    expect(html).toContain("no homography");
    expect(parts(html).data.maxLines).toBe(7);
    expect(parts(html).data.matrix).toBeNull();
    expect(matchesHtml(input)).toMatch(/value="overlay">/);
  });
});
