// allow.ts — what DARKROOM_ALLOW_HOSTS opens: hosts of the operator's own that would otherwise be refused.
//
// `cdn.lan` and `10.1.2.3` open exactly that host at the usual ports, `cdn.lan:3000` at exactly that port, `10.1.0.0/16`
// the addresses inside at the usual ports. No wildcards. Metadata hosts need an entry with their very address, and some
// addresses stay shut for ever. A wrong entry stops the start: half an allow list is a riddle.

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isMetadata, isNeverOpened, isWithin, type Range } from './addresses.ts';

/** Where a request goes: the host without brackets or trailing dot, as the URL parser writes it. */
export type Target = { host: string; port: number };

export type AllowList = {
  /** An entry names this host, and its port is the entry's or a usual one. */
  opensHost: (target: Target) => boolean;
  /** The host may be spoken to at this address, though it is not public. */
  opensAddress: (target: Target, address: string) => boolean;
};

export const usualPorts: readonly number[] = [80, 443, 8080, 8443];

/** Reads the entries of the setting; throws one Error that names every entry that is none. */
export function readAllowList(entries: readonly string[]): AllowList {
  const hosts = new Set<string>();
  const networks: Range[] = [];
  const mistakes: string[] = [];
  for (const entry of entries) {
    const range = readRange(entry);
    const target = range ? undefined : readTarget(entry);
    if (range) networks.push(range);
    else if (!target) mistakes.push(`${entry} is not a host, host:port or CIDR`);
    else if (isIP(target.host) !== 0 && isNeverOpened(target.host)) mistakes.push(`${entry} can never be opened`);
    else for (const port of target.ports) hosts.add(key({ host: target.host, port }));
  }
  if (mistakes.length > 0) throw new Error(`DARKROOM_ALLOW_HOSTS: ${mistakes.join('; ')}.`);

  const opensHost = (target: Target) => hosts.has(key(target));
  return {
    opensHost,
    opensAddress(target, address) {
      if (isNeverOpened(address)) return false;
      if (isMetadata(address)) return opensHost({ host: address, port: target.port }) && opensHost(target);
      return opensHost(target) || (usualPorts.includes(target.port) && isWithin(address, networks));
    },
  };
}

const key = ({ host, port }: Target) => `${host} ${port}`;

function readRange(entry: string): Range | undefined {
  const [base, bits, ...rest] = entry.split('/');
  if (!base || !bits || rest.length > 0 || isIP(base) === 0 || base.includes('%')) return undefined;
  return ipaddr.isValidCIDR(entry) ? ipaddr.parseCIDR(entry) : undefined;
}

function readTarget(entry: string): { host: string; ports: readonly number[] } | undefined {
  const text = isIP(entry) === 6 ? `[${entry}]` : entry;
  const [, typedHost, typedPort] = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\*%]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (!typedHost || (typedPort !== undefined && (Number(typedPort) < 1 || Number(typedPort) > 65_535)))
    return undefined;
  // The same parser that reads sources writes the entry, so that spellings meet: 0x7f.1 and 127.0.0.1, ÄB.de and xn--b-uga.de.
  const url = URL.canParse(`http://${typedHost}`) ? new URL(`http://${typedHost}`) : undefined;
  if (!url || bareHost(url) === '') return undefined;
  return { host: bareHost(url), ports: typedPort === undefined ? usualPorts : [Number(typedPort)] };
}

/** The host as it is judged and compared: without the brackets of IPv6 and without trailing dots. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
}

export function targetOf(url: URL): Target {
  return { host: bareHost(url), port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) };
}
