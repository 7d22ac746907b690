/** A three.js scene on a poster that the fake camera sees, with the newest and the oldest three.js that is served. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { afterAll, expect, it } from "vitest";
import { drawPoster } from "../../examples/web-three/poster.js";
import type { Image } from "../../src/image/image.js";
import { warpImage } from "../../src/image/warp.js";
import { assumedIntrinsics } from "../../src/track/index.js";
import { fakeCamera, rawVideo } from "./camera-file.js";
import { ROOT, servePackage } from "./files.js";
import { describeBrowser, launch, openPage } from "./page.js";

const POSTER = ((): Image => {
  const { rgba, ...size } = drawPoster();
  return { ...size, data: Uint8Array.from(rgba).filter((_, i) => i % 4 < 3) };
})();
/** From the poster to a frame of 640×480, seen from the side by the camera that is assumed. */
const SEEN = (() => {
  const { fx, fy, cx, cy } = assumedIntrinsics(640, 480);
  const [yaw, roll] = [0.45, 0.15];
  // Columns of the rotation, and where the poster's middle is; the poster is 1 wide, z points away from the camera.
  const across = [Math.cos(yaw) * Math.cos(roll), Math.sin(roll), Math.sin(yaw) * Math.cos(roll)];
  const down = [-Math.cos(yaw) * Math.sin(roll), Math.cos(roll), -Math.sin(yaw) * Math.sin(roll)];
  const middle = [0.05, -0.03, 1.3];
  const column = ([x, y, z]: number[]) => [fx * x + cx * z, fy * y + cy * z, z];
  const [a, b] = [column(across), column(down)].map((one) => one.map((value) => value / 400));
  const c = column(middle).map((value, i) => value - 199.5 * a[i] - 149.5 * b[i]);
  return [0, 1, 2].flatMap((i) => [a[i] / c[2], b[i] / c[2], c[i] / c[2]]);
})();

/** Where the poster's point lies in the frame. */
function seen(x: number, y: number): [number, number] {
  const [a, b, c, d, e, f, g, h, i] = SEEN;
  const w = g * x + h * y + i;
  return [(a * x + b * y + c) / w, (d * x + e * y + f) / w];
}

/** The example with what this server needs to be told, and what is asked of it. */
const PAGE = `
import { setWasmPaths } from "strata-features/web";
setWasmPaths("/node_modules/onnxruntime-web/dist/");
await import("./examples/web-three/main.js");
const told = [];
const { onTargetFound, onTargetLost } = anchor;
anchor.onTargetFound = () => { onTargetFound(); told.push("found"); };
anchor.onTargetLost = () => { onTargetLost(); told.push("lost"); };
tracker.onTargetFound = (index) => told.push("found " + index);
globalThis.run = async () => {
  let last;
  const seen = new Promise((resolve, reject) => {
    let updates = 0;
    anchor.onTargetUpdate = ({ state, corners }) => { last = { state, corners: Array.from(corners) }; if (++updates === 5) resolve(); };
    tracker.onError = reject;
  });
  document.querySelector("#start").click();
  const twice = await tracker.start().then(() => "", (error) => error.message);
  await seen;
  const place = (x, y) => {
    const point = anchor.group.position.clone().set(x, y, 0).applyMatrix4(anchor.group.matrixWorld).project(tracker.camera);
    return [(point.x + 1) * 320 - 0.5, (1 - point.y) * 240 - 0.5];
  };
  tracker.renderer.render(tracker.scene, tracker.camera);
  const said = document.querySelector("#said").textContent;
  return { revision: globalThis.__THREE__, told, last, twice, said, places: [place(-0.5, 0.375), place(0.5, 0.375), place(0.5, -0.375), place(-0.5, -0.375), place(0, 0)] };
};
globalThis.end = async () => {
  await tracker.dispose();
  const { children } = document.querySelector("#ar");
  return { told, visible: anchor.visible, children: children.length };
};
globalThis.ready = true;
`;

/** The example's page, with three.js of one version. */
const HTML = (three: string) =>
  readFileSync(join(ROOT, "examples/web-three/index.html"), "utf8").replace(
    '<script type="module" src="./main.js">',
    `<script type=importmap>{"imports":{"three":"/node_modules/${three}/build/three.module.js"}}</script>
    <script type=module src=/three-page.js>`,
  );

describeBrowser("a three.js scene on a poster", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-three-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("lies on it with the newest and the oldest three.js", async () => {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: PAGE, resolveDir: ROOT },
      ...{
        bundle: true,
        write: false,
        format: "esm",
        splitting: true,
        minify: true,
        outdir: folder,
        logLevel: "silent",
      },
      external: ["three"],
    });
    const scripts = Object.fromEntries(
      outputFiles.map(({ path, text }) => [`/${path.slice(folder.length + 1).replace(/^stdin/, "three-page")}`, text]),
    );
    const frame = warpImage(POSTER, Float64Array.from(SEEN), { width: 640, height: 480, fill: [120, 110, 100] });
    const file = join(folder, "camera.y4m");
    writeFileSync(file, rawVideo([frame]));
    const pages = { "/newest.html": HTML("three"), "/oldest.html": HTML("three-oldest") };
    const server = await servePackage({}, { ...pages, ...scripts });
    const browser = await launch([...fakeCamera(file), ...["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]]);
    try {
      for (const name of ["newest", "oldest"]) {
        const page = await openPage(browser, { viewport: { width: 640, height: 480 } });
        const errors: string[] = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(`${server.address}${name}.html`);
        await page.waitForFunction("globalThis.ready");
        const { revision, told, said, last, twice, places } = (await page.evaluate("run()")) as {
          revision: string;
          told: string[];
          said: string;
          last: { corners: number[] };
          twice: string;
          places: [number, number][];
        };
        if (process.env.STRATA_SCREENSHOTS)
          await page.screenshot({ path: join(process.env.STRATA_SCREENSHOTS, `${name}.png`) });
        console.log(`three.js r${revision}`);
        expect(told).toEqual(["found", "found 0"]);
        expect(said).toBe("There it is.");
        expect(twice).toMatch(/started already/);
        const truth = [seen(-0.5, -0.5), seen(399.5, -0.5), seen(399.5, 299.5), seen(-0.5, 299.5)];
        truth.forEach(([x, y], i) => {
          expect(Math.hypot(last.corners[2 * i] - x, last.corners[2 * i + 1] - y), `corner ${i}`).toBeLessThan(3);
          expect(Math.hypot(places[i][0] - x, places[i][1] - y), `scene ${i}`).toBeLessThan(3);
        });
        const ended = (await page.evaluate("end()")) as object;
        expect(ended).toEqual({ told: ["found", "found 0", "lost"], visible: false, children: 0 });
        expect(errors).toEqual([]);
        await page.close();
      }
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
