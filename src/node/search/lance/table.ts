/** The table of images: each call of LanceDB, with what it says in our words. */
import type { Connection, RecordBatch, Table } from "@lancedb/lancedb";
import { type LancePlace, lanceError } from "./place.js";
import { bytesAt, type LanceRow, type Rows, textAt } from "./rows.js";

/** The table's name. */
export const IMAGES = "strata_images";
/** The table of files: the manifest, and the vocabulary. */
export const FILES = "strata_index";

/** Images from which on candidates are searched in partitions; below, all signs are compared. Tests change it. */
export const LIMITS = { partitionedFrom: 1_000_000 };
/** Share of the partitions that is searched: a print in a cluttered photograph is not very near to its picture. */
const PROBED = 0.5;
/** Share of images that are not in their partitions, or in small fragments, above which the table is put in order. */
const UNTIDY = 0.25;
const MOST_FRAGMENTS = 64;
/** Versions that nobody refreshed from are kept for an hour. */
const KEPT = 3_600_000;
/** Ids that one condition names. */
const AT_ONCE = 500;

type IndexOf = typeof import("@lancedb/lancedb")["Index"];

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export class LanceTable {
  /** As of the last look. */
  state = { images: 0, bytes: 0, version: 0 };
  private partitions = 0;
  private known: Map<string, string> | undefined;

  private constructor(
    readonly place: LancePlace,
    private readonly connection: Connection,
    private readonly table: Table,
    private readonly rows: Rows,
    private readonly index: IndexOf,
  ) {}

  static async open(
    place: LancePlace,
    connection: Connection,
    table: Table,
    rows: Rows,
    index: IndexOf,
  ): Promise<LanceTable> {
    const opened = new LanceTable(place, connection, table, rows, index);
    await opened.look();
    return opened;
  }

  private async asked<T>(verb: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw lanceError(this.place, verb, cause);
    }
  }

  private async *batches(query: () => AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch> {
    try {
      yield* query();
    } catch (cause) {
      throw lanceError(this.place, "read", cause);
    }
  }

  private look(): Promise<void> {
    return this.asked("read", async () => {
      const [images, { totalBytes: bytes }, version] = await Promise.all([
        this.table.countRows(),
        this.table.stats(),
        this.table.version(),
      ]);
      this.state = { images, bytes, version };
      this.partitions = (await this.signsIndex()) ? partitionsOf(images) : 0;
    });
  }

  private async signsIndex() {
    return (await this.table.listIndices()).find(({ columns }) => columns.includes("signs"));
  }

  async refresh(): Promise<boolean> {
    const before = this.state.version;
    await this.asked("read", () => this.table.checkoutLatest());
    this.known = undefined;
    await this.look();
    return this.state.version !== before;
  }

  /** Ids with their digests. */
  async entries(): Promise<Map<string, string>> {
    if (this.known) return this.known;
    const known = new Map<string, string>();
    for await (const batch of this.batches(() => this.table.query().select(["id", "digest"]))) {
      for (let i = 0; i < batch.numRows; i++) known.set(textAt(batch, "id", i), textAt(batch, "digest", i));
    }
    this.known = known;
    return known;
  }

  async byId(id: string, columns: string[]): Promise<RecordBatch | null> {
    const query = () =>
      this.table
        .query()
        .where(`id = ${quoted(id)}`)
        .select(columns)
        .limit(1);
    for await (const batch of this.batches(query)) if (batch.numRows > 0) return batch;
    return null;
  }

  all(): AsyncIterable<RecordBatch> {
    return this.batches(() => this.table.query().select(["id", "vector", "signs", "local"]));
  }

  /** The images whose signs are nearest: id, vector and _rowid. */
  nearest(signs: Uint8Array, most: number): AsyncIterable<RecordBatch> {
    return this.batches(() =>
      this.table
        .query()
        .nearestTo(signs)
        .column("signs")
        .distanceType("hamming")
        .nprobes(Math.max(1, Math.ceil(PROBED * this.partitions)))
        .limit(most)
        .select(["id", "vector", "_distance"])
        .withRowId(),
    );
  }

  /** Blocks of keypoints by id. Rows move when the table is put in order; those are asked for by their ids then. */
  async locals(images: readonly { id: string; row: bigint }[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    const wanted = new Set(images.map(({ id }) => id));
    const take = async (query: () => AsyncIterable<RecordBatch>) => {
      for await (const batch of this.batches(query)) {
        for (let i = 0; i < batch.numRows; i++) {
          const id = textAt(batch, "id", i);
          if (wanted.has(id)) found.set(id, bytesAt(batch, "local", i));
        }
      }
    };
    await take(() => this.table.takeRowIds(images.map(({ row }) => row)).select(["id", "local"]));
    const moved = [...wanted].filter((id) => !found.has(id));
    if (moved.length > 0) {
      await take(() =>
        this.table
          .query()
          .where(`id IN (${moved.map(quoted).join(", ")})`)
          .select(["id", "local"]),
      );
    }
    return found;
  }

  /** Adds these images, or replaces those of the same id: in one step. */
  async put(rows: readonly LanceRow[]): Promise<void> {
    const known = await this.entries();
    const table = this.rows.table(rows);
    await this.asked("write", async () => {
      if (!rows.some(({ id }) => known.has(id))) await this.table.add(table);
      else await this.table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(table);
    });
    for (const { id, digest } of rows) known.set(id, digest);
  }

  /** Removes images; how many were there. */
  async remove(ids: Iterable<string>): Promise<number> {
    const known = await this.entries();
    const there = [...ids].filter((id) => known.has(id));
    for (let from = 0; from < there.length; from += AT_ONCE) {
      const part = there.slice(from, from + AT_ONCE);
      await this.asked("write", () => this.table.delete(`id IN (${part.map(quoted).join(", ")})`));
      for (const id of part) known.delete(id);
    }
    return there.length;
  }

  async fragments(): Promise<number> {
    return (await this.asked("read", () => this.table.stats())).fragmentStats.numFragments;
  }

  /** After a commit: puts the table in order where enough has come together, so that the work stays in proportion. */
  async tidy(): Promise<void> {
    await this.look();
    const { images } = this.state;
    if (images === 0) return;
    const { fragmentStats } = await this.asked("read", () => this.table.stats());
    const signs = await this.asked("read", () => this.signsIndex());
    const isLate =
      images >= LIMITS.partitionedFrom && (signs?.numUnindexedRows ?? (signs ? 0 : images)) > UNTIDY * images;
    const isScattered =
      fragmentStats.numFragments > MOST_FRAGMENTS && fragmentStats.lengths.max < (1 - UNTIDY) * images;
    if (isLate || isScattered) await this.optimize();
  }

  async optimize(): Promise<void> {
    await this.asked("write", async () => {
      await this.table.optimize({ cleanupOlderThan: new Date(Date.now() - KEPT) });
      const { images } = this.state;
      if (images < LIMITS.partitionedFrom) return;
      // A table that has grown fourfold has too few partitions.
      const signs = await this.signsIndex();
      if (signs && (signs.numIndexedRows ?? 0) > images / 4 && this.partitions >= partitionsOf(images) / 2) return;
      const config = this.index.ivfFlat({ distanceType: "hamming", numPartitions: partitionsOf(images) });
      await this.table.createIndex("signs", { config, replace: true });
    });
    await this.look();
  }

  close(): void {
    this.table.close();
    this.connection.close();
  }
}

const partitionsOf = (images: number): number => Math.max(2, Math.round(Math.sqrt(images) / 4));
