/** The web app as it is built, from a folder on loopback: its views by mouse, keyboard and touch, and without a network. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { crc32 } from "../../src/formats/bytes.js";
import { resizeImage } from "../../src/image/resize.js";
import { encodePng } from "../../src/node/images.js";
import { memoryStore, openIndex, openPhotoIndex } from "../../src/node/search/index.js";
import { readTarget, writeTarget } from "../../src/track/index.js";
import { type Files, serveFolder } from "../package/bundles.js";
import { axeFaults } from "./axe.js";
import { ROOT } from "./files.js";
import { describeBrowser, launch, type openPage } from "./page.js";
import { watchPages } from "./watched-page.js";

describeBrowser("the app", () => {
  let folder: string;
  let files: Files;
  let browser: Browser;
  let page: Page;
  const { errors, hosts, open: openWatched } = watchPages();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "strata-app-"));
    const { build } = await import("vite");
    const configFile = fileURLToPath(new URL("../../app/vite.config.ts", import.meta.url));
    await build({ configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
    files = await serveFolder(folder);
    browser = await launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
    page = await open();
  });
  afterAll(async () => {
    await browser?.close();
    await files?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (options: Parameters<typeof openPage>[1] = {}): Promise<Page> =>
    openWatched(browser, { bypassCSP: false, ...options });

  const verdict = async (of = page): Promise<string> => {
    await of.waitForSelector(".verdict");
    return (await of.textContent(".verdict")) ?? "";
  };

  const faults = (of = page): Promise<string[]> => axeFaults(of);

  /** Moves the focus by the Tab key alone to what has this name. */
  const tabTo = async (name: string): Promise<void> => {
    const focused = () =>
      page.evaluate(() => {
        const { ariaLabel, labels, textContent } = document.activeElement as HTMLInputElement;
        return (ariaLabel ?? labels?.[0]?.textContent ?? textContent ?? "").trim();
      });
    for (let i = 0; i < 60 && !(await focused()).startsWith(name); i++) await page.keyboard.press("Tab");
    expect(await focused()).toContain(name);
  };

  it("matches its samples at once, and shows the matches", async () => {
    await page.goto(files.address);
    expect(await verdict()).toMatch(/^same, probability (?:0\.9\d|1\.00); a plane, \d+ of \d+ matches agree$/);
    expect(await page.title()).toBe("Match – strata");
    expect(await page.textContent("#stage, .counts")).toMatch(/2000 \+ 2000 keypoints/);
    expect(await page.textContent(".times")).toMatch(/extract1 \d+ ms .* wasm, 1 thread$/);
    const drawn = () =>
      page.evaluate(() => {
        const canvas = document
          .querySelector("section [class=''], section div")
          ?.shadowRoot?.querySelector<HTMLCanvasElement>("#patches");
        return canvas
          ?.getContext("2d")
          ?.getImageData(0, 0, canvas.width, canvas.height)
          .data.some((value) => value > 0);
      });
    await page.focus("#stage");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#detail")).toMatch(/^Match 1 of \d+.*Keypoint \d+ of A/);
    expect(await drawn()).toBe(true);
    await page.keyboard.press("Escape");
    expect(await drawn()).toBe(false);
    expect(await faults()).toEqual([]);
  });

  it("takes a file, another number of keypoints and another size, and keeps them in the address", async () => {
    const { a } = drawDemoPair(3);
    const png = Buffer.from(await encodePng(resizeImage(a, 1000, 750)));
    await page.evaluate(() => {
      const stage = document.querySelector("section div")?.shadowRoot?.querySelector("#stage") as HTMLElement;
      Object.assign(globalThis, { before: new WeakRef(stage) });
    });
    const mine = Buffer.from(await encodePng(drawDemoPair(7).a));
    // The second before the first is decoded.
    await Promise.all([
      page.setInputFiles("input[type=file] >> nth=0", { name: "mine.png", mimeType: "image/png", buffer: mine }),
      page.setInputFiles("input[type=file] >> nth=1", { name: "other.png", mimeType: "image/png", buffer: png }),
    ]);
    await page.waitForSelector("img[alt='B: other.png']");
    await page.waitForSelector("img[alt='A: mine.png']");
    await page.waitForFunction(() => /^(?!same)/.test(document.querySelector(".verdict")?.textContent ?? "same"));
    expect(await verdict()).toMatch(/^(?:different|uncertain)/);
    await page.selectOption("select >> nth=2", "500");
    await page.waitForFunction(
      () => document.querySelector("section")?.shadowRoot || location.hash.includes("count=500"),
    );
    expect(new URL(page.url()).hash).toBe("#/match?count=500");
    expect(await page.$(".slot .note")).toBeNull();
    await page.selectOption("select >> nth=3", "960");
    await page.waitForSelector(".slot .note");
    const note = "other.png: keypoints are looked for at 960 × 720 of 1000 × 750 pixels";
    expect(await page.textContent(".slot .note")).toBe(note);
    expect(new URL(page.url()).hash).toBe("#/match?count=500&edge=960");
    // Of what was shown before nothing is kept: a page that is open for long does not grow.
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const isKept = () => (globalThis as unknown as { before: WeakRef<Node> }).before.deref() !== undefined;
    expect(await page.evaluate(isKept)).toBe(false);
    await session.detach();
    await page.setInputFiles("input[type=file] >> nth=1", {
      ...{ name: "broken.png", mimeType: "image/png" },
      buffer: png.subarray(0, 300),
    });
    await page.waitForSelector(".slot .failure");
    expect(await page.textContent(".slot .failure")).toMatch(/^broken\.png: the browser cannot decode/);
    // What is chosen while others are drawn stays.
    const drawn = page.waitForEvent("worker").then((worker) => new Promise((resolve) => worker.once("close", resolve)));
    await page.getByRole("button", { name: "Other samples" }).click();
    await page.setInputFiles("input[type=file] >> nth=0", { name: "kept.png", mimeType: "image/png", buffer: mine });
    await page.waitForSelector("img[alt='A: kept.png']");
    await drawn;
    // The samples still become files.
    await page.waitForTimeout(500);
    expect(await page.locator(".slot > img").count()).toBe(2);
    expect(await page.$("img[alt='A: kept.png']")).not.toBeNull();
    expect(await page.$("img[alt='B: other.png']")).not.toBeNull();
    // An address that says nothing of use.
    await page.goto(`${files.address}/#/match?count=500&edge=`);
    expect(await page.inputValue("select >> nth=3")).toBe("1920");
  });

  it("hands out the picture, the drawing and the numbers", async () => {
    for (const [name, start] of [
      ["PNG", "\x89PNG"],
      ["SVG", "<svg"],
      ["JSON", '{"images"'],
      ["NPZ", "PK"],
    ]) {
      const arriving = page.waitForEvent("download");
      await page.getByRole("button", { name, exact: true }).click();
      const bytes = readFileSync(await (await arriving).path());
      expect(bytes.subarray(0, 40).toString("latin1")).toContain(start);
    }
  });

  it("lays A onto B, by keyboard alone", async () => {
    await page.goto(`${files.address}/#/models?model=strata-t`);
    await page.reload();
    await tabTo("Align");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.title === "Align – strata");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
    expect(await verdict()).toMatch(/matches agree$/);
    const slider = page.getByRole("slider");
    await slider.focus();
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector<HTMLElement>(".layers img + img")?.style.clipPath !== "");
    expect(await page.textContent(".swipe .field span")).toMatch(/^A up to 0 %/);
    expect(await faults()).toEqual([]);
    await page.getByRole("button", { name: "Place A by hand" }).press("Enter");
    const corner = page.getByRole("button", { name: /top left corner/ });
    const place = async () => ((await corner.getAttribute("aria-label")) ?? "").match(/-?\d+/g)?.map(Number) ?? [];
    const [x, y] = await place();
    await corner.focus();
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("ArrowDown");
    expect(await place()).toEqual([x + 10, y + 1]);
    await page.waitForFunction(() => document.querySelector(".verdict")?.textContent?.startsWith("placed by hand"));
    const [left, top] = await corner.boundingBox().then((box) => [(box?.x ?? 0) + 22, (box?.y ?? 0) + 22]);
    await page.mouse.move(left, top);
    await page.mouse.down();
    await page.mouse.move(left + 30, top + 20);
    await page.mouse.up();
    const [across, down] = await place();
    expect(across).toBeGreaterThan(x + 15);
    expect(down).toBeGreaterThan(y + 6);
    expect(await faults()).toEqual([]);
    await page.getByRole("button", { name: "Place A by hand" }).press("Enter");
    const third = Buffer.from(await encodePng(resizeImage(drawDemoPair(7).a, 1000, 750)));
    await page.setInputFiles("input[type=file] >> nth=2", { name: "c.png", mimeType: "image/png", buffer: third });
    await page.waitForFunction(() =>
      /1 of 1 more pictures have a place$/.test(document.querySelector(".verdict")?.textContent ?? ""),
    );
    const arriving = page.waitForEvent("download");
    await page.getByRole("button", { name: /^PNG/ }).press("Enter");
    expect((await arriving).suggestedFilename()).toBe("aligned.png");
    await page.selectOption("select >> nth=2", "960");
    expect(await page.textContent(".slot .note")).toMatch(/^c\.png: keypoints .* at 960 × 720 of 1000 × 750 pixels$/);
    await page.waitForFunction(() => document.querySelector("[role=status]")?.textContent === "");
    // Another overlay asks for no keypoints again.
    await page.evaluate(() => {
      Worker.prototype.postMessage = () => {
        throw new Error("a picture is looked at again");
      };
    });
    await page.selectOption("select >> nth=1", "blend");
    await page.waitForSelector("img.aligned, .failure");
    expect(await page.$(".failure")).toBeNull();
    await page.reload();
  });

  /** The status of the view, once it is as expected. */
  const status = (pattern: RegExp, of = page) =>
    of.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector("[role=status]")?.textContent ?? ""),
      pattern.source,
    );

  it("compiles a picture, follows it and lays things on it; keeps the target as a file", async () => {
    await page.goto(`${files.address}/#/track`);
    await tabTo("Add pictures or targets");
    await page.evaluate(() => {
      const asked = (event: Event): void => {
        event.preventDefault();
        document.body.dataset.asked = "yes";
      };
      document.querySelector("input[type=file]")?.addEventListener("click", asked, { once: true });
    });
    await page.keyboard.press("Enter");
    await page.waitForSelector("body[data-asked=yes]");
    await tabTo("Show a sample");
    await page.keyboard.press("Enter");
    await status(/^Following sample$/);
    expect(await page.textContent(".targets")).toMatch(/^sampleGood, \d+ of 100/);
    expect(await page.textContent(".watch .times")).toMatch(/^\d+ frames a second · [\d.]+ ms a frame/);
    expect(await faults()).toEqual([]);
    await page.selectOption("select", "picture");
    await page.waitForFunction(() => document.querySelector<HTMLElement>(".laid:not([hidden])")?.style.transform);
    await page.selectOption("select", "box");
    await page.waitForSelector("canvas.boxes");
    await page.selectOption("select", "outline");
    const arriving = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save target" }).click();
    const target = readFileSync(await (await arriving).path());
    expect(readTarget(target)).toMatchObject({ name: "sample", model: { name: "strata-t" } });

    await page.getByRole("button", { name: "Remove sample" }).click();
    const give = async (name: string, buffer: Buffer) => {
      await page.setInputFiles("input[type=file] >> nth=0", { name, mimeType: "", buffer });
      await page.waitForSelector(".targets li, .failure");
    };
    const failed = (pattern: RegExp) =>
      page.waitForFunction((source) => {
        const failure = document.querySelector(".failure")?.textContent ?? "";
        return new RegExp(source).test(failure);
      }, pattern.source);
    const other = Buffer.from(target);
    other.writeUInt32LE(9, 8);
    await give("old.strata", other);
    await failed(/^old\.strata: a target of version 9; .*compile the picture again/);
    const strange = writeTarget({ ...readTarget(target), model: { name: "strata-t", sha256: "0".repeat(64) } });
    await give("strange.strata", Buffer.from(strange));
    await failed(/^strange\.strata: it was compiled with strata-t \(00000000\)/);
    await give("cut.strata", target.subarray(0, 9000));
    await failed(/^cut\.strata: the target has 9000 bytes, .*truncated$/);
    const flat = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(90) };
    await give("flat.png", Buffer.from(await encodePng(flat)));
    await page.waitForSelector(".targets li");
    expect(await page.textContent(".targets")).toMatch(/^flatPoor, 0 of 100: too little texture/);
    await give("sample.strata", target);
    await page.waitForSelector(".targets li >> nth=1");
    await status(/^Following sample$/);
    await tabTo("Stop");
    await page.keyboard.press("Enter");
    await status(/^$/);
  });

  it("follows in the camera, photographs with it, and says why there is none", async () => {
    await page.getByRole("button", { name: "Follow in the camera" }).click();
    await status(/^Looking for it$/);
    await page.getByRole("button", { name: "Camera", exact: true }).click();
    await page.getByRole("button", { name: "Take the picture" }).click();
    await page.waitForSelector(".targets li >> nth=2");
    expect(await page.textContent(".targets li >> nth=2")).toMatch(/^photograph 3/);
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("Permission denied", "NotAllowedError");
      };
    });
    await page.getByRole("button", { name: "Follow in the camera" }).click();
    await page.waitForSelector(".watch .failure");
    expect(await page.textContent(".watch .failure")).toMatch(/^camera: permission was refused; allow/);
    await page.reload();
  });

  it("finds which picture a photograph shows, keeps the index, and exchanges it with the command line", async () => {
    const panel = "[aria-label='Your pictures']";
    const told = (pattern: RegExp) =>
      page.waitForFunction(
        ([where, source]) => new RegExp(source).test(document.querySelector(where)?.textContent ?? ""),
        [panel, pattern.source],
      );
    await page.goto(`${files.address}/#/search`);
    await page.waitForSelector("button:enabled:has-text('Try samples')");
    await tabTo("Try samples");
    await page.keyboard.press("Enter");
    expect(await verdict()).toBe("Found: samples/wall-7.jpg");
    expect(await page.textContent(".results li")).toMatch(/found, probability [01]\.\d\d, \d+ points fit/);
    expect(await faults()).toEqual([]);
    await page.reload();
    await told(/6 pictures/);

    const arriving = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save index" }).click();
    const saved = unzipSync(readFileSync(await (await arriving).path()));
    const store = memoryStore();
    for (const [path, bytes] of Object.entries(saved)) await store.write(path.replace("photos.index/", ""), bytes);
    const index = await openIndex(store);
    expect(await index.check()).toEqual([]);
    expect([...(await index.entries()).keys()]).toContain("samples/wall-43.jpg");

    // An index that the command line made, opened here.
    const made = join(folder, "made");
    const own = await openPhotoIndex(made);
    await own.index.add({ id: "wall.png", features: await own.extractor.extract(drawDemoPair(7).a) });
    await own.index.commit();
    await own.index.close();
    await own.extractor.dispose();
    const choose = "input[webkitdirectory] >> nth=1";
    await page.setInputFiles(choose, made);
    await told(/1 pictures.*Opened/);
    const photograph = Buffer.from(await encodePng(drawDemoPair(7).b));
    await page.setInputFiles("input[type=file] >> nth=4", { name: "b.png", mimeType: "image/png", buffer: photograph });
    expect(await verdict()).toBe("Found: wall.png");
    expect(await page.textContent(".results li")).toMatch(/the picture itself is not in this browser/);

    // What cannot be opened costs nothing.
    const original = readFileSync(join(made, "manifest.json"), "utf8");
    const write = (changed: string) => {
      const { manifest: body } = JSON.parse(changed);
      const manifest = { crc32: crc32(new TextEncoder().encode(JSON.stringify(body))), manifest: body };
      writeFileSync(join(made, "manifest.json"), JSON.stringify(manifest));
    };
    const refused = async (changed: string, pattern: RegExp) => {
      write(changed);
      await page.setInputFiles(choose, made);
      await told(pattern);
    };
    await refused(original.replace('"version":1', '"version":7'), /version 7/);
    await refused(
      original.replace(/"sha256":"[0-9a-f]{64}"/, `"sha256":"${"0".repeat(64)}"`),
      /features of strata-t \(00000000\)/,
    );
    await refused(original.replace('"name":"strata-t"', '"name":"mine"'), /features of mine .*this page does not have/);
    const segment = readdirSync(made).find((name) => name.startsWith("segment-")) as string;
    truncateSync(join(made, segment), 900);
    await refused(original, /damaged/);
    await page.evaluate(() => {
      FileSystemFileHandle.prototype.createWritable = async () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await page.getByRole("button", { name: "Try samples" }).click();
    await told(/storage that the browser gives this page is full/);
    await page.reload();
    await told(/1 pictures/);
    page.once("dialog", (dialog) => dialog.accept());
    await page.getByRole("button", { name: "Empty" }).click();
    await told(/None yet/);
  });

  it("tells where a model runs, and why", async () => {
    await page.goto(`${files.address}/#/models?model=strata-t`);
    await page.waitForSelector("dl");
    expect(await page.textContent("dl")).toMatch(
      /wasm, 1 thread.*a worker of its own.*keypoints of 640 × 480 in \d+ ms/s,
    );
    await tabTo("Runs on");
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => location.hash.includes("backend=wasm"));
    expect(await faults()).toEqual([]);
  });

  it("opens the reader's own models, and draws what a network sees", async () => {
    const own = (name: string) => readFileSync(join(ROOT, "models/strata-t", name));
    await page.goto(`${files.address}/#/models?model=strata-t`);
    await page.waitForSelector("dl");
    const give = (...names: string[]) =>
      page.setInputFiles(
        "input[type=file] >> nth=0",
        names.map((name) => ({ name, mimeType: "", buffer: own(name) })),
      );
    await page.evaluate(() => {
      for (const input of document.querySelectorAll("input")) input.removeAttribute("webkitdirectory");
      document.querySelector("input")?.setAttribute("multiple", "");
    });
    await give("model.safetensors");
    await page.waitForSelector(".slot .failure");
    expect(await page.textContent(".slot .failure")).toMatch(/a model folder has .*config\.json is missing/);
    await give("model.safetensors", "config.json", "graph.onnx");
    await page.waitForFunction(() => location.hash.includes("own"));
    await page.getByRole("link", { name: "Match" }).click();
    await page.selectOption("select", "model (own)");
    expect(await verdict()).toMatch(/^same/);
    await page.click("summary");
    await page.waitForSelector(".map-list figure");
    expect(await page.textContent(".map-list")).toMatch(/^repeatabilityreliabilityscore/);
    expect(await faults()).toEqual([]);
  });

  it("fits a telephone in the dark, and works there by touch", async () => {
    const phone = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme: "dark" });
    await phone.goto(`${files.address}/#/match?model=strata-t`);
    expect(await verdict(phone)).toMatch(/^same/);
    expect(await faults(phone)).toEqual([]);
    await phone.getByRole("link", { name: "Align" }).tap();
    expect(await verdict(phone)).toMatch(/matches agree$/);
    await phone.selectOption("select >> nth=1", "diff");
    await phone.waitForSelector("img.aligned");
    expect(await faults(phone)).toEqual([]);
    await phone.getByRole("button", { name: "Place A by hand" }).tap();
    const corner = phone.getByRole("button", { name: /top left corner/ });
    await corner.scrollIntoViewIfNeeded();
    const place = async () => ((await corner.getAttribute("aria-label")) ?? "").match(/-?\d+/g)?.map(Number) ?? [];
    const before = await place();
    const box = await corner.boundingBox();
    const finger = await phone.context().newCDPSession(phone);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...by: number[]) =>
      finger.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: by.map((far) => ({ x: (box?.x ?? 0) + 22 + far, y: (box?.y ?? 0) + 22 + far })),
      });
    await touch("touchStart", 0);
    for (const far of [5, 20]) await touch("touchMove", far);
    await touch("touchEnd");
    const after = await place();
    expect(Math.min(after[0] - before[0], after[1] - before[1])).toBeGreaterThan(10);
    await phone.waitForFunction(() => document.querySelector(".verdict")?.textContent?.startsWith("placed by hand"));
    await phone.getByRole("link", { name: "Track" }).tap();
    await phone.getByRole("button", { name: "Show a sample" }).tap();
    await status(/^Following sample$/, phone);
    await phone.getByRole("button", { name: "Stop" }).tap();
    expect(await faults(phone)).toEqual([]);
    await phone.getByRole("link", { name: "Search" }).tap();
    await phone.getByRole("button", { name: "Try samples" }).tap();
    expect(await verdict(phone)).toMatch(/^Found/);
    expect(await faults(phone)).toEqual([]);
    await phone.close();
  });

  it("works without a network the second time, and asks no other host for anything", async () => {
    const context = page.context();
    await page.goto(`${files.address}/#/match?model=strata-t`);
    await page.reload();
    await verdict();
    await context.setOffline(true);
    await page.reload();
    expect(await verdict()).toMatch(/^same/);
    await context.setOffline(false);
    expect([...hosts]).toEqual([new URL(files.address).host]);
    expect(errors).toEqual([]);
  });
});
