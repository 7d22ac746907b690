/** examples/track-folder.ts runs, and its picture is found and followed with the model that ships. */
import { afterAll, expect, it, vi } from "vitest";

const { argv } = process;
afterAll(() => {
  process.argv = argv;
});

it("examples/track-folder.ts", async () => {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  process.argv = argv.slice(0, 2);
  await import("../../../examples/track-folder.js");
  log.mockRestore();
  expect(lines.map((line) => line.split(" ")[1])).toEqual(["found", "tracked", "tracked", "tracked", "tracked"]);
  expect(lines[0].split(" ").slice(2, 4).map(Number)).toEqual([expect.closeTo(100, 0), expect.closeTo(90, 0)]);
});
