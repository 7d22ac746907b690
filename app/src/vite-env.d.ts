/// <reference types="vite/client" />

declare module "virtual:first-samples" {
  /** Addresses of two views of one wall. */
  const samples: [a: string, b: string];
  export default samples;
}
