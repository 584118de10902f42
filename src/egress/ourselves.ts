// ourselves.ts — recognises this very service in an address, so that it neither calls itself nor refuses its own files.
//
// Webhooks to ourselves are loops, and no allow list opens them. Sources may name our public base, because results are
// natural sources; they are then read over the internal address, from the routes that serve files and no others.

import { networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isWithin } from './addresses.ts';
import { targetOf, type Target } from './allow.ts';

/** Our own addresses; '' = unset. A function gives them, because the port may be known only after listening. */
export type Own = { publicUrl: string; internalUrl: string; port: number };

export type Ourselves = {
  /** The URL has the origin of our public or internal base. */
  isOurOrigin(url: URL): boolean;
  /** Somebody who connects there reaches this process. */
  listensAt(target: Target, address: string): boolean;
  /** The URL lies under our public base: `internal` is where its file is read, undefined when it is no file. */
  find(url: URL): { internal: URL | undefined } | undefined;
};

const loopback = [ipaddr.parseCIDR('127.0.0.0/8'), ipaddr.parseCIDR('::1/128')];

/** One name of random characters behind a file route: nothing that could be a dot segment or an escape. */
const filePath =
  /^\/(?:media\/images|processed_images|app\/processed_images|v1\/files|static\/samples)\/[\w-]+(?:\.[\w-]+)*$/;

export function recogniseOurselves(own: () => Own): Ourselves {
  const bases = rememberBases(own);
  const listensAt: Ourselves['listensAt'] = ({ port }, address) =>
    port === own().port && (isWithin(address, loopback) || interfaceAddresses().has(plain(address)));

  return {
    listensAt,
    isOurOrigin(url) {
      const { outer, inner } = bases();
      const target = targetOf(url);
      if ([...outer, inner].some((base) => base.protocol === url.protocol && sameTarget(targetOf(base), target)))
        return true;
      return isIP(target.host) === 0 ? isLocalName(target, own().port) : listensAt(target, target.host);
    },
    find(url) {
      const { outer, inner } = bases();
      const base = outer.find((each) => each.origin === url.origin && url.pathname.startsWith(folderOf(each)));
      if (!base) return undefined;
      const path = url.pathname.slice(folderOf(base).length);
      if (!filePath.test(`/${path}`)) return { internal: undefined };
      return { internal: new URL(`${inner.origin}${folderOf(inner)}${path}`) };
    },
  };
}

/** Our bases as URLs. They are asked for with every request and change at most once, when the port is known. */
function rememberBases(own: () => Own): () => { outer: URL[]; inner: URL } {
  let last: { outer: URL[]; inner: URL; of: Own } | undefined;
  return () => {
    const of = own();
    const { publicUrl, internalUrl, port } = of;
    if (last?.of.port === port && last.of.publicUrl === publicUrl && last.of.internalUrl === internalUrl) return last;
    const outer = publicUrl === '' ? [`http://localhost:${port}`, `http://127.0.0.1:${port}`] : [publicUrl];
    const inner = new URL(internalUrl === '' ? `http://127.0.0.1:${port}` : internalUrl);
    last = { outer: outer.map((text) => new URL(text)), inner, of };
    return last;
  };
}

const folderOf = (base: URL) => `${base.pathname.replace(/\/+$/, '')}/`;
const sameTarget = (one: Target, other: Target) => one.host === other.host && one.port === other.port;

function isLocalName({ host, port }: Target, ownPort: number): boolean {
  return port === ownPort && (host === 'localhost' || host.endsWith('.localhost'));
}

function interfaceAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return new Set(all.map(({ address }) => plain(address)));
}

/** One spelling per address; the zone id only says through which card it is reached. */
function plain(address: string): string {
  const [bare = ''] = address.split('%');
  return isIP(bare) === 0 ? address : ipaddr.process(bare).toString();
}
