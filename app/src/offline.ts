/** The service worker that keeps the page's files for visits without a network. */

/** How long the first visit waits for it, in milliseconds: what is fetched before it is there is not kept. */
const PATIENCE = 2000;

/** Settled when the page's requests go by way of the service worker, or when there is none. Never rejects. */
export const controlled: Promise<void> = start();

async function start(): Promise<void> {
  if (import.meta.env.MODE !== "production" || !("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  try {
    await serviceWorker.register("./sw.js");
    if (serviceWorker.controller) return;
    await new Promise<void>((resolve) => {
      serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true });
      setTimeout(resolve, PATIENCE);
    });
  } catch {
    // Private windows refuse; the page works all the same, with a network.
  }
}
