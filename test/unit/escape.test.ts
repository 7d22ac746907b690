import { describe, expect, it } from "vitest";
import { escapeXml, jsonForScript, shorten } from "../../src/escape.js";

describe("escapeXml", () => {
  it("leaves nothing that could open or close an element, an attribute or an entity", () => {
    expect(escapeXml(`<script>alert("1" & '2')</script>`)).toBe(
      "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;",
    );
  });

  it("keeps all writing and replaces what XML forbids", () => {
    expect(escapeXml("Zürich 東京 🗻.png")).toBe("Zürich 東京 🗻.png");
    expect(escapeXml("a\0b\u001bc\nd\ud800e\uffff")).toBe("a\ufffdb\ufffdc\ufffdd\ufffde\ufffd");
  });
});

describe("jsonForScript", () => {
  it("has no < and says the same", () => {
    const value = { name: "</script><!--<script>", list: [1, null, "a<b"] };
    const text = jsonForScript(value);
    expect(text).not.toContain("<");
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("shorten", () => {
  it("cuts in the middle, by characters, and keeps the end longest", () => {
    expect(shorten("short.png", 9)).toBe("short.png");
    const cut = shorten("a/very/long/path/to/some/photograph.jpeg", 20);
    expect(cut).toHaveLength(20);
    expect(cut).toBe("a/very…otograph.jpeg");
    expect(Array.from(shorten("🗻".repeat(30), 10))).toHaveLength(10);
    expect(shorten("🗻".repeat(30), 10)).toMatch(/^🗻{3}…🗻{6}$/u);
  });
});
