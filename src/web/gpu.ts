/** The GPU of a page: whether there is one, a device on it, and a session that outlives the loss of a device. */
import { UnsupportedError } from "../errors.js";
import type { Session, SessionInfo, Tensor } from "../graph/session.js";

/** The part of WebGPU that is used; the DOM's types do not have it yet. */
interface Gpu {
  requestAdapter(options?: { powerPreference?: "high-performance" }): Promise<Adapter | null>;
}

export interface Adapter {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly info?: { vendor: string; architecture: string; description: string; isFallbackAdapter?: boolean };
  readonly isFallbackAdapter?: boolean;
  requestDevice(descriptor: object): Promise<Device>;
}

export interface Device {
  /** Settles when the device is gone; "destroyed" is what destroy() says. */
  readonly lost: Promise<{ reason: string; message: string }>;
  destroy(): void;
}

/** The adapter of this browser; null where it has none or WebGPU fails altogether. */
export async function findAdapter(): Promise<Adapter | null> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: Gpu };
  try {
    return (await gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? null;
  } catch {
    return null;
  }
}

/** Whether the adapter computes on the CPU. */
export const isSoftware = ({ info, isFallbackAdapter }: Adapter): boolean =>
  info?.isFallbackAdapter ?? isFallbackAdapter ?? /swiftshader|llvmpipe|software/i.test(info?.description ?? "");

/** What networks make use of, where the adapter has it. */
const LIMITS = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxBufferSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
];
const FEATURES = ["shader-f16", "subgroups"];

/** A device with all that the adapter offers; an UnsupportedError says why there is none. */
export async function openDevice(): Promise<Device> {
  const adapter = await findAdapter();
  if (!adapter) throw new UnsupportedError("this browser has no WebGPU adapter");
  const requiredLimits = Object.fromEntries(
    LIMITS.flatMap((name) => (adapter.limits[name] === undefined ? [] : [[name, adapter.limits[name]]])),
  );
  const requiredFeatures = FEATURES.filter((name) => adapter.features.has(name));
  return adapter.requestDevice({ requiredFeatures, requiredLimits });
}

/** How a session is opened again: on a device, or without one. */
export interface GpuOpening {
  device(): Promise<Device>;
  onDevice(device: Device): Promise<Session>;
  onWasm(): Promise<Session>;
}

/**
 * A session on the GPU. Where the device is lost (a driver that restarts, a laptop that wakes, a page in the background),
 * another one takes its place and the run is made again; where that fails too, WebAssembly does, and `info` says so.
 */
export class GpuSession implements Session {
  readonly info: SessionInfo;
  private reason: string | null = null;
  /** Runs wait for each other: none may begin on a session that is being replaced. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private session: Session,
    private device: Device | null,
    private readonly opening: GpuOpening,
  ) {
    this.info = { ...session.info };
    if (device) this.watch(device);
  }

  static async open(opening: GpuOpening): Promise<GpuSession> {
    const device = await opening.device();
    try {
      return new GpuSession(await opening.onDevice(device), device, opening);
    } catch (error) {
      device.destroy();
      throw error;
    }
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  run(inputs: Record<string, Tensor>, into?: Record<string, Tensor>): Promise<Record<string, Tensor>> {
    const run = this.last.then(() => this.attempt(inputs, into));
    this.last = run.catch(() => undefined);
    return run;
  }

  async dispose(): Promise<void> {
    await this.last;
    await this.session.dispose();
    this.device?.destroy();
    this.device = null;
  }

  private async attempt(inputs: Record<string, Tensor>, into?: Record<string, Tensor>) {
    // A device can be lost before a run, during it, and once more on the device that took its place.
    for (let tries = 0; ; tries++) {
      if (this.reason !== null) await this.replace(this.reason, tries);
      const { device } = this;
      if (!device) return this.session.run(inputs, into);
      try {
        // A run on a lost device may end with an error or never.
        const lost = device.lost.then(({ message }) => Promise.reject(new Error(message || "the GPU device is lost")));
        lost.catch(() => undefined);
        const outputs = await Promise.race([this.session.run(inputs, into), lost]);
        // What comes back from a device that is lost by now may be zeros. The loss is told a moment later.
        await Promise.resolve();
        if (this.reason === null) return outputs;
      } catch (error) {
        if (this.reason === null && !(await isLost(device))) throw error;
        this.reason ??= String(error instanceof Error ? error.message : error);
      }
    }
  }

  /** Another device and session; after the second loss in one run WebAssembly. */
  private async replace(reason: string, tries: number): Promise<void> {
    // The old one cannot be relied on to end well.
    const old = this.session;
    void old.dispose().catch(() => undefined);
    this.device = null;
    this.reason = null;
    let failure = reason;
    if (tries < 2) {
      try {
        const device = await this.opening.device();
        this.session = await this.opening.onDevice(device);
        this.device = device;
        Object.assign(this.info, this.session.info);
        this.watch(device);
        return;
      } catch (error) {
        failure = String(error instanceof Error ? error.message : error).split("\n")[0];
      }
    }
    this.session = await this.opening.onWasm();
    const fallback = `the GPU was lost (${reason}) and could not be had again (${failure}); using wasm`;
    Object.assign(this.info, this.session.info, { fallback });
  }

  private watch(device: Device): void {
    void device.lost.then(({ message, reason }) => {
      if (this.device === device) this.reason = message || reason || "the GPU device is lost";
    });
  }
}

/** Whether a device is lost already. */
const isLost = (device: Device): Promise<boolean> =>
  Promise.race([
    device.lost.then(() => true),
    // A loss that caused an error is told in the same turn of the event loop or the next.
    new Promise<boolean>((resolve) => setTimeout(resolve, 0, false)),
  ]);
