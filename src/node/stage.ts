/** How long work shows where it is. */

/** Begins a stage of `total` things ("image", "images"); the label is said before the count. */
export type OpenStage = (label: string, unit: readonly [one: string, many: string], total: number) => Promise<Stage>;

/** A part of long work, for a progress bar. */
export interface Stage {
  /** How many things are done, and how many of them took work in this run. */
  update(done: number, worked: number): void;
  stop(): void;
}

/** For who wants to see nothing. */
export const silentStage: OpenStage = async () => ({ update: () => {}, stop: () => {} });
