/** Pages whose errors and hosts are written down, from the first one on. */
import type { Browser, Page } from "playwright-core";
import { openPage } from "./serve.js";

export interface Watched {
  errors: string[];
  hosts: Set<string>;
  open(browser: Browser, options?: Parameters<typeof openPage>[1]): Promise<Page>;
}

/** What all pages opened here say to the console as errors, throw, and ask for. */
export function watchPages(): Watched {
  const errors: string[] = [];
  const hosts = new Set<string>();
  return {
    errors,
    hosts,
    async open(browser, options) {
      const page = await openPage(browser, options);
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("request", (request) => {
        const { protocol, host } = new URL(request.url());
        if (protocol.startsWith("http")) hosts.add(host);
      });
      return page;
    },
  };
}
