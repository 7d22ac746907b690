/** A three.js box on each target, over the frame. Loaded when boxes are asked for: three.js weighs more than the page. */
import {
  AmbientLight,
  BoxGeometry,
  DirectionalLight,
  Group,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Scene,
  WebGLRenderer,
} from "three";
import { projectionMatrix, type TrackedTarget, type Tracker } from "../../../src/track/index.js";

/** Nearest and farthest distance that is drawn, in widths of a target. */
const [NEAR, FAR] = [0.01, 1000];
/** Edge of a box in widths of its target. */
const EDGE = 0.35;

export class Boxes {
  readonly canvas: HTMLCanvasElement;
  private readonly renderer = new WebGLRenderer({ alpha: true, antialias: true });
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera();
  private readonly groups: Group[] = [];
  private readonly shape = new BoxGeometry(EDGE, EDGE, EDGE);
  private readonly material = new MeshStandardMaterial({ color: 0x56b4e9, roughness: 0.55 });

  constructor() {
    this.canvas = this.renderer.domElement;
    this.camera.matrixAutoUpdate = false;
    const sun = new DirectionalLight(0xffffff, 2.4);
    sun.position.set(0.6, 1, 1.2);
    this.scene.add(new AmbientLight(0xffffff, 0.9), sun);
  }

  draw(tracker: Tracker, seen: readonly TrackedTarget[], [width, height]: readonly [number, number]): void {
    if (!tracker.camera) return;
    this.camera.projectionMatrix.fromArray(projectionMatrix(width, height, NEAR, FAR, tracker.camera));
    this.camera.projectionMatrixInverse.copy(this.camera.projectionMatrix).invert();
    if (this.canvas.width !== width || this.canvas.height !== height) this.renderer.setSize(width, height, false);
    for (const { target, pose } of seen) {
      this.groups[target] ??= this.addBox();
      const group = this.groups[target];
      group.visible = pose !== null;
      if (!pose) continue;
      group.matrix.fromArray(pose);
      // Poses are in the target's own unit; a box is as large as its target.
      for (let i = 12; i < 15; i++) group.matrix.elements[i] /= tracker.targets[target].physicalWidth;
      group.matrixWorldNeedsUpdate = true;
    }
    for (const group of this.groups.slice(seen.length)) group.visible = false;
    this.renderer.render(this.scene, this.camera);
  }

  dispose(): void {
    this.shape.dispose();
    this.material.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
    this.canvas.remove();
  }

  private addBox(): Group {
    const group = new Group();
    group.matrixAutoUpdate = false;
    const box = new Mesh(this.shape, this.material);
    box.position.z = EDGE / 2;
    group.add(box);
    this.scene.add(group);
    return group;
  }
}
