/**
 * Which proxy a request goes through, as curl and wget understand it: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in small
 * letters first. node:http knows no proxies; the agents by TooTallNate do (CONNECT for https, absolute addresses for http).
 */
import type { Agent } from "node:http";
import { BlockList, isIP, isIPv4 } from "node:net";
import { HttpProxyAgent } from "http-proxy-agent";
import { HttpsProxyAgent } from "https-proxy-agent";
import { OptionError } from "../errors.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyRoute {
  /** "http://host:port", without the user and password that the setting may hold. */
  shown: string;
  /** An agent for one request; aborting `signal` ends a connection that is still being made. */
  agent(signal: AbortSignal): Agent;
}

/** The proxy for an address; undefined: none. An OptionError when the setting names none that can be used. */
export function proxyFor(url: URL, environment: Environment): ProxyRoute | undefined {
  const [name, text] = setting(environment, url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (text === "" || isExcepted(url, setting(environment, "NO_PROXY")[1])) return undefined;
  const address = /^[\w+.-]+:\/\//.test(text) ? text : `http://${text}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  // What is set may hold a password and is not repeated.
  if (proxy === undefined || proxy.hostname === "") {
    throw new OptionError(`${name} is no address of a proxy; expected http://host:port`);
  }
  if (proxy.protocol !== "http:" && proxy.protocol !== "https:") {
    throw new OptionError(`${name}: proxies are reached by http:// or https://, "${proxy.protocol}" is not offered`);
  }
  try {
    decodeURIComponent(proxy.username + proxy.password);
  } catch {
    throw new OptionError(`${name}: a "%" in user or password must be written %25`);
  }
  return {
    shown: `${proxy.protocol}//${proxy.host}`,
    agent: (signal) =>
      url.protocol === "https:" ? new HttpsProxyAgent(proxy, { signal }) : new HttpProxyAgent(proxy, { signal }),
  };
}

/** The name that is set, and its value; "" where neither is. */
function setting(environment: Environment, name: string): [name: string, value: string] {
  const small = name.toLowerCase();
  const used = environment[small] !== undefined ? small : name;
  return [used, (environment[used] ?? "").trim()];
}

/**
 * Whether NO_PROXY names the host: itself or a domain above it (".example.org", "*.example.org" and "example.org" mean the
 * same), with a port where only that is meant, an IP address, a range of them (10.0.0.0/8), or "*" for all.
 */
function isExcepted(url: URL, exceptions: string): boolean {
  const host = plainHost(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      if (entry.includes("/")) return isIP(host) !== 0 && inRange(host, entry);
      const [, name, only] = (isIP(entry) === 0 && /^(.*):(\d+)$/.exec(entry)) || ["", entry, port];
      if (only !== port) return false;
      const wanted = plainHost(name.replace(/^\*?\./, ""));
      return host === wanted || (isIP(host) === 0 && wanted !== "" && host.endsWith(`.${wanted}`));
    });
}

function inRange(host: string, range: string): boolean {
  const [network, bits] = range.split("/");
  const kind = isIPv4(network) ? "ipv4" : "ipv6";
  const most = kind === "ipv4" ? 32 : 128;
  if (isIP(network) === 0 || !/^\d+$/.test(bits) || Number(bits) > most) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), kind);
  return list.check(host, isIPv4(host) ? "ipv4" : "ipv6");
}

/** Without the brackets of an IPv6 address and the dot that may end a name. */
const plainHost = (name: string): string => name.toLowerCase().replace(/^\[|\]$|\.$/g, "");
