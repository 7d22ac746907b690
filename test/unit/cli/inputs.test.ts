/** Names that look like paths or patterns, and what is said of files that are passed over. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collectImages } from "../../../src/cli/inputs.js";
import { OptionError } from "../../../src/errors.js";
import { fakeStrata, savePlain, temporaryFolder } from "./fake.js";

const folder = temporaryFolder();
const at = folder.path;

beforeAll(async () => {
  for (const sub of ["ok", "..up", "...", "phone", "none"]) mkdirSync(at(sub));
  for (const name of ["ok/x.png", "..up/x.png", "..thumb.png", ".../x.png", "phone/3.png"])
    await savePlain(at(name), 9);
  for (const name of ["phone/1.HEIC", "phone/2.bmp", "none/a.pdf", "none/b.svg", "none/notes.txt"]) {
    writeFileSync(at(name), "x");
  }
});
afterAll(folder.remove);

describe("names below the root", () => {
  it("may begin with two dots: only a whole part .. leads out", async () => {
    const named = ["ok/x.png", "..up/x.png", "..thumb.png", ".../x.png"];
    const names = async (root?: string) =>
      (
        await collectImages(
          named.map((name) => at(name)),
          { root },
        )
      ).images.map(({ name }) => name);
    expect(await names()).toEqual(named);
    expect(await names(at("."))).toEqual(named);
    await expect(collectImages([at("..thumb.png")], { root: at("ok") })).rejects.toThrow(OptionError);
    await expect(collectImages([at("ok/x.png")], { root: at("..up") })).rejects.toThrow("lies outside --root");
  });

  it("reach the outputs as they are", async () => {
    const { code } = await fakeStrata().run(
      "extract",
      at("ok/x.png"),
      at("..up/*.png"),
      at("..thumb.png"),
      "--out",
      at("out"),
    );
    expect(code).toBe(0);
    for (const name of ["ok/x.png", "..up/x.png", "..thumb.png"])
      expect(existsSync(at("out", `${name}.strata.npz`)), name).toBe(true);
  });
});

describe("files that are passed over", () => {
  const extract = (...argv: string[]) => fakeStrata().run("extract", ...argv, "--out", at("out"));

  it("are told in one line by kind, and in --json; not when quiet", async () => {
    const note = "strata: note: passed over, for they are not read: 1 BMP, 1 HEIC\n";
    expect((await extract(at("phone"))).err).toBe(note);
    expect((await extract(at("phone/*"))).err).toBe(note);
    expect((await extract(at("phone"), "--quiet")).err).toBe("");
    const { out, err } = await extract(at("phone"), "--json");
    expect([JSON.parse(out), err]).toMatchObject([{ extracted: 1, passedOver: { HEIC: 1, BMP: 1 } }, note]);
    expect(JSON.parse((await extract(at("ok"), "--json")).out).passedOver).toEqual({});
  });

  it("explain a folder without images, and a glob that finds none", async () => {
    const { code, err } = await extract(at("none"));
    expect([code, err]).toEqual([
      1,
      `strata: note: passed over, for they are not read: 1 PDF, 1 SVG\nstrata: there are no images in ${at("none")}\n`,
    ]);
    expect((await extract(at("none/*.pdf"))).err).toBe(
      `strata: no image matches ${at("none/*.pdf")} (passed over: 1 PDF)\n`,
    );
  });
});
