/**
 * What is used of LanceDB. The package is large and installed by whoever needs it, so it is no part of development either: these
 * are its own types (0.37.1), shortened.
 */
declare module "@lancedb/lancedb" {
  /** A column of a record batch. */
  interface Vector {
    get(row: number): unknown;
  }
  interface RecordBatch {
    readonly numRows: number;
    getChild(name: string): Vector | null;
  }
  interface Query extends AsyncIterable<RecordBatch> {
    select(columns: string[]): this;
    where(predicate: string): this;
    limit(rows: number): this;
    withRowId(): this;
    nearestTo(vector: Uint8Array): VectorQuery;
  }
  interface VectorQuery extends Query {
    column(name: string): this;
    distanceType(type: "hamming"): this;
    nprobes(partitions: number): this;
  }
  interface Table {
    schema(): Promise<{ fields: readonly { name: string; type: object }[] }>;
    add(rows: object): Promise<unknown>;
    countRows(): Promise<number>;
    delete(predicate: string): Promise<unknown>;
    query(): Query;
    takeRowIds(ids: readonly bigint[]): Pick<Query, "select" | typeof Symbol.asyncIterator>;
    mergeInsert(on: string): MergeInsert;
    createIndex(column: string, options: { config: object; replace?: boolean }): Promise<void>;
    listIndices(): Promise<{ name: string; columns: string[]; numUnindexedRows?: number; numIndexedRows?: number }[]>;
    optimize(options: { cleanupOlderThan: Date }): Promise<unknown>;
    checkoutLatest(): Promise<void>;
    version(): Promise<number>;
    stats(): Promise<{ totalBytes: number; fragmentStats: { numFragments: number; lengths: { max: number } } }>;
    close(): void;
  }
  interface MergeInsert {
    whenMatchedUpdateAll(): this;
    whenNotMatchedInsertAll(): this;
    execute(rows: object): Promise<unknown>;
  }
  interface Connection {
    tableNames(): Promise<string[]>;
    openTable(name: string): Promise<Table>;
    createTable(name: string, rows: object): Promise<Table>;
    createEmptyTable(name: string, schema: object): Promise<Table>;
    dropTable(name: string): Promise<void>;
    close(): void;
  }
  export function connect(uri: string, options: { storageOptions?: Record<string, string> }): Promise<Connection>;
  export const Index: { ivfFlat(options: { distanceType: "hamming"; numPartitions?: number }): object };
}
