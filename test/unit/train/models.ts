/** COLMAP models written by hand, as COLMAP's documentation describes the files: independent of the readers. */
import type { ColmapModelFiles } from "../../../src/formats/colmap-model.js";

export interface RawModel {
  cameras: { id: number; model: number; width: number; height: number; params: number[] }[];
  images: {
    id: number;
    rotation: number[];
    translation: number[];
    cameraId: number;
    name: string;
    /** x, y, id of the point or −1. */
    points: number[][];
  }[];
  points: { id: number; position: number[]; track: number[][] }[];
}

const NAMES = ["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"];

export function textModel({ cameras, images, points }: RawModel): ColmapModelFiles {
  const file = (head: string, lines: string[]) => new TextEncoder().encode(`# ${head}\n${lines.join("\n")}\n`);
  return {
    cameras: file(
      "Camera list",
      cameras.map(({ id, model, width, height, params }) =>
        [id, NAMES[model] ?? `MODEL_${model}`, width, height, ...params].join(" "),
      ),
    ),
    images: file(
      "Image list",
      images.flatMap(({ id, rotation, translation, cameraId, name, points: seen }) => [
        [id, ...rotation, ...translation, cameraId, name].join(" "),
        seen.flat().join(" "),
      ]),
    ),
    points3D: file(
      "3D point list",
      points.map(({ id, position, track }) => [id, ...position, 1, 2, 3, 0.5, ...track.flat()].join(" ")),
    ),
  };
}

export function binaryModel({ cameras, images, points }: RawModel): ColmapModelFiles {
  const file = (count: number, write: (to: Writer) => void): Uint8Array => {
    const to = new Writer();
    to.u64(count);
    write(to);
    return Uint8Array.from(to.bytes);
  };
  return {
    cameras: file(cameras.length, (to) => {
      for (const { id, model, width, height, params } of cameras) {
        to.u32(id, model);
        to.u64(width, height);
        to.f64(...params);
      }
    }),
    images: file(images.length, (to) => {
      for (const { id, rotation, translation, cameraId, name, points: seen } of images) {
        to.u32(id);
        to.f64(...rotation, ...translation);
        to.u32(cameraId);
        to.bytes.push(...new TextEncoder().encode(name), 0);
        to.u64(seen.length);
        for (const [x, y, point] of seen) {
          to.f64(x, y);
          to.u64(point);
        }
      }
    }),
    points3D: file(points.length, (to) => {
      for (const { id, position, track } of points) {
        to.u64(id);
        to.f64(...position);
        to.bytes.push(1, 2, 3);
        to.f64(0.5);
        to.u64(track.length);
        for (const entry of track) to.u32(...entry);
      }
    }),
  };
}

class Writer {
  readonly bytes: number[] = [];

  u32(...values: number[]): void {
    for (const value of values) this.push(Uint32Array.of(value));
  }
  /** −1 is written as the largest number. */
  u64(...values: number[]): void {
    for (const value of values) this.push(BigInt64Array.of(BigInt(value)));
  }
  f64(...values: number[]): void {
    this.push(Float64Array.from(values));
  }
  private push(values: Uint32Array | BigInt64Array | Float64Array): void {
    this.bytes.push(...new Uint8Array(values.buffer));
  }
}
