/** Images as rows of LanceDB's table, and back. Columns are Arrow's, made by the apache-arrow that LanceDB itself uses. */
import { createRequire } from "node:module";
import type { RecordBatch } from "@lancedb/lancedb";
import { peerError } from "../../../peers.js";
import { SIGN_BYTES } from "../../../search/signs.js";

/** An image in the table. */
export interface LanceRow {
  id: string;
  /** Hexadecimal. */
  digest: string;
  /** Signed bytes, as the file index keeps them. */
  vector: Int8Array;
  /** What candidates are found by: signs.ts. */
  signs: Uint8Array;
  /** A block of local-features.ts. */
  local: Uint8Array;
}

interface Arrow {
  Schema: new (fields: object[]) => object & { fields: object[] };
  Field: new (name: string, type: object, nullable: boolean) => { type: object };
  Utf8: new () => object;
  Binary: new () => object;
  Uint8: new () => object;
  FixedSizeList: new (length: number, item: object) => object;
  Struct: new (fields: object[]) => object;
  Table: new (schema: object, batch: object) => object;
  RecordBatch: new (schema: object, data: object) => object;
  makeData(options: object): object;
  vectorFromArray(values: readonly unknown[], type: object): { data: object[] };
}

const LANCEDB = "@lancedb/lancedb";

export class Rows {
  private readonly fields: { type: object }[];
  /** Of the table of images. */
  readonly schema: object;

  private constructor(private readonly arrow: Arrow) {
    const { Schema, Field, Utf8, Binary, FixedSizeList, Uint8 } = arrow;
    const text = () => new Utf8();
    const signs = new FixedSizeList(SIGN_BYTES, new Field("item", new Uint8(), true));
    this.fields = [
      new Field("id", text(), false),
      new Field("digest", text(), false),
      new Field("vector", new Binary(), false),
      new Field("signs", signs, false),
      new Field("local", new Binary(), false),
    ];
    this.schema = new Schema(this.fields);
  }

  static load(): Rows {
    try {
      const require = createRequire(import.meta.url);
      return new Rows(createRequire(require.resolve(LANCEDB))("apache-arrow") as Arrow);
    } catch (cause) {
      throw peerError(LANCEDB, cause);
    }
  }

  /** Whether a table's columns are those of images. */
  fits(schema: { fields: readonly { name: string; type: object }[] }): boolean {
    const shape = (fields: readonly object[]) =>
      fields.map((field) => `${(field as { name: string }).name} ${(field as { type: object }).type}`).join();
    return shape(schema.fields) === shape(this.fields);
  }

  /** Rows as a table of Arrow's. */
  table(rows: readonly LanceRow[]): object {
    const { makeData, vectorFromArray, Utf8, Binary, Uint8 } = this.arrow;
    const texts = (values: string[]) => vectorFromArray(values, new Utf8()).data[0];
    const blobs = (values: Uint8Array[]) => vectorFromArray(values, new Binary()).data[0];
    const signs = new Uint8Array(SIGN_BYTES * rows.length);
    for (const [i, row] of rows.entries()) signs.set(row.signs, SIGN_BYTES * i);
    const child = makeData({ type: new Uint8(), data: signs, length: signs.length, nullCount: 0 });
    return this.build(this.fields, rows.length, [
      texts(rows.map(({ id }) => id)),
      texts(rows.map(({ digest }) => digest)),
      blobs(rows.map(({ vector }) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))),
      makeData({ type: this.fields[3].type, child, length: rows.length, nullCount: 0 }),
      blobs(rows.map(({ local }) => local)),
    ]);
  }

  /** Named bytes as a table of Arrow's. */
  files(files: Readonly<Record<string, Uint8Array>>): object {
    const { Field, Utf8, Binary, vectorFromArray } = this.arrow;
    const fields = [new Field("name", new Utf8(), false), new Field("bytes", new Binary(), false)];
    return this.build(fields, Object.keys(files).length, [
      vectorFromArray(Object.keys(files), new Utf8()).data[0],
      vectorFromArray(Object.values(files), new Binary()).data[0],
    ]);
  }

  private build(fields: { type: object }[], length: number, children: object[]): object {
    const { Schema, Struct, RecordBatch, Table, makeData } = this.arrow;
    const schema = new Schema(fields);
    return new Table(
      schema,
      new RecordBatch(schema, makeData({ type: new Struct(fields), length, nullCount: 0, children })),
    );
  }
}

/** Bytes of a column's value, in memory of their own: LanceDB's may be anywhere in a large buffer. */
export const bytesAt = (batch: RecordBatch, column: string, row: number): Uint8Array =>
  new Uint8Array((batch.getChild(column)?.get(row) as Uint8Array | null) ?? []);

export const textAt = (batch: RecordBatch, column: string, row: number): string =>
  String(batch.getChild(column)?.get(row) ?? "");
