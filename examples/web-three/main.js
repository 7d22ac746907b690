/** A box on a poster: `npm i strata-features three vite && npx vite`, on a page that may open a camera (https, or localhost). */

import { ImageTracker } from "strata-features/three";
import { BoxGeometry, Mesh, MeshBasicMaterial, MeshNormalMaterial, PlaneGeometry } from "three";
import { drawPoster } from "./poster.ts";

const { width, height, rgba } = drawPoster();
const poster = new ImageData(rgba, width);
const canvas = document.querySelector("#poster");
Object.assign(canvas, { width, height }).getContext("2d").putImageData(poster, 0, 0);

const tracker = new ImageTracker({ container: document.querySelector("#ar"), targets: poster });
const { scene, camera, renderer } = tracker;

// The poster is 1 wide, its middle the origin; z points out of it.
const anchor = tracker.addAnchor(0);
const box = new Mesh(new BoxGeometry(0.3, 0.3, 0.3), new MeshNormalMaterial());
box.position.z = 0.15;
const frame = new MeshBasicMaterial({ color: "lime", wireframe: true });
anchor.group.add(box, new Mesh(new PlaneGeometry(1, height / width), frame));

const said = document.querySelector("#said");
anchor.onTargetFound = () => {
  said.textContent = "There it is.";
};
anchor.onTargetLost = () => {
  said.textContent = "Where is the poster?";
};
tracker.onError = (error) => {
  said.textContent = error.message;
};

document.querySelector("#start").onclick = async () => {
  try {
    await tracker.start();
    renderer.setAnimationLoop(() => renderer.render(scene, camera));
  } catch (error) {
    said.textContent = error.message;
  }
};

// For the browser's console, and for tests.
Object.assign(globalThis, { tracker, anchor });
