/** The camera in Chromium, whose fake one plays a video made here; and what is said where there is none to be had. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fakeCamera } from "./camera-file.js";
import { DOOR, type PackageServer, servePackage } from "./files.js";
import { describeBrowser, launch, openPage } from "./page.js";

/** Thirty frames of raw video, each of one brightness and the next one brighter. */
function video(width: number, height: number): Buffer {
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420\n`)];
  for (let i = 0; i < 30; i++) {
    const [luma, chroma] = [Buffer.alloc(width * height, 40 + 6 * i), Buffer.alloc((width * height) / 2, 128)];
    parts.push(Buffer.from("FRAME\n"), luma, chroma);
  }
  return Buffer.concat(parts);
}

const say = `(work) => work.then(() => "", (error) => (error.code ?? error.name) + " " + error.message)`;

describeBrowser("the camera in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-camera-"));
  let server: PackageServer;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    const file = join(folder, "camera.y4m");
    writeFileSync(file, video(320, 240));
    server = await servePackage();
    browser = await launch(fakeCamera(file));
    page = await openPage(browser);
    await page.goto(server.address);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (body: string) => page.evaluate(`import("${DOOR}").then(async ({ camera, loadImage }) => { ${body} })`);

  it("gives frames one after the other, each with its pixels, waits while the page is hidden, and stops", async () => {
    const result = (await run(`
      const opened = await camera({ width: 320, height: 240 });
      const seen = [];
      let busy = 0, overlaps = 0;
      await new Promise((resolve, reject) => {
        const end = opened.frames(async ({ video, width, height, time, resized }) => {
          overlaps += busy++;
          const image = await loadImage(video);
          seen.push({ size: [width, height, image.width, image.height], time, resized, value: image.data[0] });
          busy--;
          if (seen.length === 8) { end(); resolve(); }
        }, reject);
      });
      const hide = (hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
      };
      hide(true);
      let whileHidden = 0;
      const next = opened.next().then(() => whileHidden++);
      const running = opened.running;
      // Frames that come meanwhile are seen by another listener.
      for (let i = 0; i < 5; i++) await new Promise((done) => opened.video.requestVideoFrameCallback(done));
      const hidden = [running, whileHidden];
      hide(false);
      await next;
      const track = opened.stream.getVideoTracks()[0];
      const pending = (${say})(opened.next());
      opened.stop();
      opened.stop();
      return { seen, overlaps, hidden, shown: whileHidden, pending: await pending, after: await (${say})(opened.next()),
        ended: await opened.ended, track: track.readyState, source: opened.video.srcObject };
    `)) as {
      seen: { size: number[]; time: number; resized: boolean; value: number }[];
      overlaps: number;
    };
    const { seen, ...rest } = result;
    for (const frame of seen) expect(frame).toMatchObject({ size: [320, 240, 320, 240], resized: false });
    for (let i = 1; i < seen.length; i++) expect(seen[i].time).toBeGreaterThan(seen[i - 1].time);
    expect(new Set(seen.map(({ value }) => value)).size).toBeGreaterThan(1);
    expect(rest).toEqual({
      overlaps: 0,
      hidden: [false, 0],
      shown: 1,
      pending: expect.stringMatching(/^E_STATE camera: it was stopped/),
      after: expect.stringMatching(/^E_STATE camera: it was stopped/),
      ended: null,
      track: "ended",
      source: null,
    });
  });

  it("tells a turned device, an error of the caller's and the camera's own end", async () => {
    const result = await run(`
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
      const context = canvas.getContext("2d");
      let tick = 0;
      const timer = setInterval(() => { context.fillStyle = tick++ % 2 ? "red" : "blue"; context.fillRect(0, 0, 64, 64); }, 30);
      const { getUserMedia } = navigator.mediaDevices;
      navigator.mediaDevices.getUserMedia = async () => canvas.captureStream();
      const opened = await camera();
      const before = [opened.width, opened.height];
      let frame;
      Object.assign(canvas, { width: 48, height: 64 });
      do frame = await opened.next(); while (!frame.resized);
      const thrown = await new Promise((resolve) => opened.frames(() => { throw new Error("mine"); }, resolve));
      const [track] = opened.stream.getVideoTracks();
      track.dispatchEvent(new Event("ended"));
      const end = await opened.ended;
      clearInterval(timer);
      navigator.mediaDevices.getUserMedia = getUserMedia;
      return { before, after: [frame.width, frame.height], thrown: thrown.message, end: end.code + " " + end.message };
    `);
    expect(result).toEqual({
      before: [64, 48],
      after: [48, 64],
      thrown: "mine",
      end: expect.stringMatching(/^E_IO camera: it is gone/),
    });
  });

  it("says in plain words why there is no camera", async () => {
    const said = (await run(`
      const say = ${say};
      const { getUserMedia } = navigator.mediaDevices;
      const as = (name, message = "") => {
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException(message, name); };
        return say(camera());
      };
      const out = {
        none: await as("NotFoundError"), refused: await as("NotAllowedError", "Permission denied"),
        dismissed: await as("NotAllowedError", "Permission dismissed"), busy: await as("NotReadableError"),
        other: await as("InvalidStateError", "so it is"), unfit: await as("OverconstrainedError"),
      };
      navigator.mediaDevices.getUserMedia = getUserMedia;
      out.id = await say(camera({ deviceId: "nobody" }));
      out.aborted = await say(camera({ signal: AbortSignal.abort(new Error("enough")) }));
      for (const [name, options] of Object.entries({ facing: { facing: "up" }, width: { width: 0 }, video: { video: {} }, option: { fps: 3 } }))
        out[name] = await say(camera(options));
      return out;
    `)) as Record<string, string>;
    expect(said).toEqual({
      none: expect.stringMatching(/^E_IO camera: there is no camera/),
      refused: expect.stringMatching(/^E_UNSUPPORTED camera: permission was refused; allow/),
      dismissed: expect.stringMatching(/^E_UNSUPPORTED camera: .*dismissed/),
      busy: expect.stringMatching(/^E_IO camera: it is in use by another/),
      other: "E_IO camera: it cannot be opened: so it is",
      unfit: expect.stringMatching(/^E_OPTION camera: no camera fits/),
      id: expect.stringMatching(/^E_OPTION camera: no camera fits; leave out deviceId/),
      aborted: "Error enough",
      facing: expect.stringMatching(/^E_OPTION .*"facing" must be one of environment, user/),
      width: expect.stringMatching(/^E_OPTION .*"width"/),
      video: expect.stringMatching(/^E_OPTION .*a video element/),
      option: expect.stringMatching(/^E_OPTION .*unknown option "fps"/),
    });
  });

  it("says that a page is not secure", async () => {
    // Loopback counts as secure; another name of the same machine does not.
    const insecure = await launch(["--host-resolver-rules=MAP strata.test 127.0.0.1"]);
    try {
      const other = await openPage(insecure);
      await other.goto(server.address.replace("127.0.0.1", "strata.test"));
      const said = await other.evaluate(`import("${DOOR}").then(({ camera }) => (${say})(camera()))`);
      expect(said).toMatch(/^E_UNSUPPORTED camera: this page is not secure.*https/);
    } finally {
      await insecure.close();
    }
  });
});
