/**
 * Whether a JPEG (ITU T.81) is whole. Decoders show what they can and say little: a file that was cut is grey at its end, one
 * with wrong bytes in the middle goes on with shifted or false colours. Here the codes of all blocks are read, without making
 * pixels of them: they must be codes of their tables, and come out where the data ends.
 */
import { huffmanTable } from "./jpeg-huffman.js";
import { decodeRun, type RunTables } from "./jpeg-run.js";

export interface JpegState {
  /** Whether the marker is there that ends the image. */
  ended: boolean;
  /** Part of the pixels' blocks that the file does not hold, 0 to 1. */
  missing: number;
  /** Whether wrong bytes were found in the image's data. */
  damaged: boolean;
  /** What makes it a JPEG that decoders do not read, in words; null: it is of a common kind. */
  unsupported: string | null;
}

interface Component {
  id: number;
  /** Blocks of an MCU across and down. */
  h: number;
  v: number;
  /** Blocks across and down where the component has a scan for itself. */
  across: number;
  down: number;
}

interface Frame {
  progressive: boolean;
  components: Component[];
  /** MCUs of a scan of several components. */
  mcus: number;
  /** Blocks of all components. */
  blocks: number;
}

const KINDS: Record<number, string> = {
  195: "lossless",
  197: "hierarchical",
  198: "hierarchical",
  199: "hierarchical",
  201: "arithmetic-coded",
  202: "arithmetic-coded",
  203: "lossless",
  205: "hierarchical",
  206: "hierarchical",
  207: "hierarchical",
};

/** What state the JPEG is in; null where its headers cannot be read so far that this could be told. */
export function checkJpeg(bytes: Uint8Array): JpegState | null {
  const reader = new JpegReader(bytes);
  return reader.read() ? reader.state() : null;
}

class JpegReader {
  private at = 2;
  private ended = false;
  private damaged = false;
  private unsupported: string | null = null;
  private frame: Frame | null = null;
  private readonly tables = new Map<number, Uint16Array>();
  private interval = 0;
  /** Blocks that were found, of all components. */
  private found = 0;
  /** Of a progressive image: by component, the bit down to which each of the 64 coefficients is known; -1: not at all. */
  private readonly known = new Map<number, Int8Array>();

  constructor(private readonly bytes: Uint8Array) {}

  /** Reads all segments; false where they make no sense. */
  read(): boolean {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const marker = this.nextMarker();
      if (marker === null) return true;
      if (marker === 0xd9) {
        this.ended = true;
        return true;
      }
      // Markers without a segment: restarts that belong to nothing, and another beginning.
      if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
      if (this.at + 2 > bytes.length) return true;
      const from = this.at + 2;
      this.at += 256 * bytes[this.at] + bytes[this.at + 1];
      if (this.at < from) return false;
      if (this.at > bytes.length) return true;
      if (!this.segment(marker, bytes.subarray(from, this.at))) return false;
      if (this.unsupported) return true;
    }
    return true;
  }

  state(): JpegState {
    const { ended, damaged, unsupported, frame } = this;
    return { ended, damaged, unsupported, missing: unsupported ? 0 : frame ? this.missing(frame) : 1 };
  }

  private missing(frame: Frame): number {
    if (!frame.progressive) return 1 - Math.min(1, this.found / frame.blocks);
    // Scans are refinements. One that was cut still leaves every pixel in its place; one that is not there at all does not.
    const all = frame.components.every(({ id }) => this.known.get(id)?.every((bit) => bit === 0));
    return all || this.ended ? 0 : 1;
  }

  /** The next marker, after it; null at the end. */
  private nextMarker(): number | null {
    const { bytes } = this;
    const start = this.at;
    let at = bytes.indexOf(0xff, start);
    while (at >= 0 && (bytes[at + 1] === 0xff || bytes[at + 1] === 0)) at = bytes.indexOf(0xff, at + 1);
    if (at < 0 || at + 1 >= bytes.length) {
      this.at = bytes.length;
      return null;
    }
    // Zeros between segments are padding.
    if (bytes.subarray(start, at).some((byte) => byte !== 0 && byte !== 0xff)) this.damaged = true;
    this.at = at + 2;
    return bytes[at + 1];
  }

  private segment(marker: number, data: Uint8Array): boolean {
    if (marker === 0xc4) return this.huffman(data);
    if (marker === 0xdd) this.interval = 256 * data[0] + data[1];
    else if (marker === 0xda) return this.scan(data);
    else if (marker === 0xc0 || marker === 0xc1 || marker === 0xc2) return this.start(marker, data);
    else if (marker in KINDS) this.unsupported = `a ${KINDS[marker]} JPEG`;
    return true;
  }

  private huffman(data: Uint8Array): boolean {
    for (let at = 0; at + 17 <= data.length; ) {
      const counts = data.subarray(at + 1, at + 17);
      const length = counts.reduce((sum, count) => sum + count, 0);
      const table = huffmanTable(counts, data.subarray(at + 17, at + 17 + length));
      if (!table) return false;
      this.tables.set(data[at], table);
      at += 17 + length;
    }
    return true;
  }

  private start(marker: number, data: Uint8Array): boolean {
    const [precision, h0, h1, w0, w1, count] = data;
    const [height, width] = [256 * h0 + h1, 256 * w0 + w1];
    if (this.frame || data.length < 6 + 3 * count || width === 0 || height === 0 || count < 1 || count > 4)
      return false;
    if (precision !== 8) {
      this.unsupported = `a JPEG of ${precision} bits`;
      return true;
    }
    const listed = Array.from({ length: count }, (_, i) => {
      const [id, sampling] = data.subarray(6 + 3 * i);
      return { id, h: sampling >> 4, v: sampling & 15 };
    });
    if (listed.some(({ h, v }) => h < 1 || h > 4 || v < 1 || v > 4)) return false;
    const [hMax, vMax] = [Math.max(...listed.map(({ h }) => h)), Math.max(...listed.map(({ v }) => v))];
    const components = listed.map((one) => ({
      ...one,
      across: Math.ceil(Math.ceil((width * one.h) / hMax) / 8),
      down: Math.ceil(Math.ceil((height * one.v) / vMax) / 8),
    }));
    this.frame = {
      progressive: marker === 0xc2,
      components,
      mcus: Math.ceil(width / (8 * hMax)) * Math.ceil(height / (8 * vMax)),
      blocks: components.reduce((sum, { across, down }) => sum + across * down, 0),
    };
    for (const { id } of components) this.known.set(id, new Int8Array(64).fill(-1));
    return true;
  }

  private scan(data: Uint8Array): boolean {
    const { frame } = this;
    const count = data[0];
    if (!frame || data.length < 4 + 2 * count || count < 1 || count > 4) return false;
    const chosen = Array.from({ length: count }, (_, i) => {
      const component = frame.components.find(({ id }) => id === data[1 + 2 * i]);
      return component && { component, tables: data[2 + 2 * i] };
    });
    const parts = chosen.filter((one) => one !== undefined);
    if (parts.length < count) return false;
    if (frame.progressive) {
      const [first, last, bits] = data.subarray(1 + 2 * count);
      for (const { component } of parts) this.known.get(component.id)?.fill(bits & 15, first, last + 1);
      this.at = this.endOfScan();
      return true;
    }
    return this.sequential(parts);
  }

  /** Reads the blocks of a sequential scan: an MCU has the blocks of all its components, or is one block of the only one. */
  private sequential(parts: { component: Component; tables: number }[]): boolean {
    const { frame, tables } = this;
    const run: RunTables[] = [];
    const single = parts.length === 1;
    for (const { component, tables: chosen } of parts) {
      const [dc, ac] = [tables.get(chosen >> 4), tables.get(0x10 | (chosen & 15))];
      if (!dc || !ac) return false;
      for (let i = single ? 1 : component.h * component.v; i > 0; i--) run.push({ dc, ac });
    }
    const [{ component }] = parts;
    const mcus = single ? component.across * component.down : (frame as Frame).mcus;
    const found = this.runs(run, mcus);
    // Blocks beyond the edge, which only fill MCUs, count for no pixels.
    const blocks = parts.reduce((sum, { component: { across, down } }) => sum + across * down, 0);
    this.found += (blocks * found) / mcus;
    return true;
  }

  /** MCUs that the scan's data holds, between restarts. */
  private runs(blocks: RunTables[], mcus: number): number {
    const { bytes, interval } = this;
    const end = this.endOfScan();
    let found = 0;
    let wanted = 0;
    for (let from = this.at; wanted < mcus && from <= end; ) {
      const to = interval > 0 ? this.endOfRun(from, end) : end;
      const length = interval > 0 ? Math.min(interval, mcus - wanted) : mcus;
      const run = decodeRun(bytes, from, to, blocks, length);
      found += run.found;
      wanted += length;
      if (run.damaged || (run.found < length && to < bytes.length)) this.damaged = true;
      from = to + 2;
      if (wanted >= mcus && to < end) this.damaged = true;
    }
    this.at = end;
    return found;
  }

  /** Where the scan's data ends: at a marker that is no restart, or with the file. */
  private endOfScan(): number {
    const { bytes } = this;
    for (let at = bytes.indexOf(0xff, this.at); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
      const next = bytes[at + 1];
      if (next !== undefined && next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
    }
    return bytes.length;
  }

  /** Where the next restart marker is. */
  private endOfRun(from: number, end: number): number {
    const { bytes } = this;
    for (let at = bytes.indexOf(0xff, from); at >= 0 && at < end; at = bytes.indexOf(0xff, at + 1)) {
      if (bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7) return at;
    }
    return end;
  }
}
