// addresses.ts — which addresses are public, that is: may be spoken to without the operator's leave.
//
// Deny by default: IPv4 is public outside the list, IPv6 only inside 2000::/3 and outside the list. So loopback, private,
// link-local, mapped, translated and tunnelled forms fall out without being named, and so will ranges yet unknown.
// The reasons are the IANA special-purpose registries; 168.63.129.16 is the metadata host of a large cloud.

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const notPublic4 = ranges([
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared by carriers'],
  ['127.0.0.0/8', 'loopback'],
  ['168.63.129.16/32', 'metadata of a cloud'],
  ['169.254.0.0/16', 'link-local, metadata of most clouds'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'protocol assignments'],
  ['192.0.2.0/24', 'documentation'],
  ['192.31.196.0/24', 'AS112'],
  ['192.52.193.0/24', 'AMT'],
  ['192.88.99.0/24', '6to4 relays'],
  ['192.168.0.0/16', 'private'],
  ['192.175.48.0/24', 'AS112'],
  ['198.18.0.0/15', 'benchmarks'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved, broadcast'],
]);

const global6 = ipaddr.parseCIDR('2000::/3');

const notPublic6 = ranges([
  ['2001::/23', 'protocol assignments, Teredo, ORCHID'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4: an IPv4 address in disguise'],
  ['2620:4f:8000::/48', 'AS112'],
  ['3fff::/20', 'documentation'],
]);

const neverOpened = ranges([
  ['0.0.0.0/32', 'reaches this machine'],
  ['::/128', 'reaches this machine'],
  ['224.0.0.0/4', 'multicast'],
  ['ff00::/8', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
]);

const metadataHosts = new Set(['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254']);

/** True for an address anyone may be asked to connect to. Anything that is not a plain IP address is not public. */
export function isPublic(address: string): boolean {
  const parsed = parseAddress(address);
  if (!parsed) return false;
  if (parsed.kind() === 'ipv4') return !isInside(parsed, notPublic4);
  const inner = isatapAddress(parsed);
  if (inner && isInside(inner, notPublic4)) return false;
  return parsed.match(global6) && !isInside(parsed, notPublic6);
}

/** True for addresses that no setting may open: they mean "here" or "everybody". */
export function isNeverOpened(address: string): boolean {
  const parsed = parseAddress(address);
  return !parsed || isInside(unmapped(parsed), neverOpened);
}

/** True for the hosts that hand credentials to whoever asks; only an entry that names the very address opens them. */
export function isMetadata(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && metadataHosts.has(unmapped(parsed).toString());
}

export type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** True when the address, or the IPv4 address inside a mapped one, lies in one of the ranges. */
export function isWithin(address: string, list: readonly Range[]): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && isInside(unmapped(parsed), list);
}

function ranges(rows: [cidr: string, reason: string][]): Range[] {
  return rows.map(([cidr]) => ipaddr.parseCIDR(cidr));
}

function isInside(address: ipaddr.IPv4 | ipaddr.IPv6, list: readonly Range[]): boolean {
  return list.some(([base, bits]) => base.kind() === address.kind() && address.match([base, bits]));
}

/** ipaddr.js also reads octal, hexadecimal and zone ids; node:net's strict reading decides what an address is. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.parse(text);
}

function unmapped(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.process(address.toString());
}

/** ISATAP (RFC 5214) hides an IPv4 address behind the interface identifier ::0:5efe or ::200:5efe of any prefix. */
function isatapAddress(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | undefined {
  const bytes = address.toByteArray();
  const [universal, zero, high, low] = bytes.slice(8, 12);
  const isIsatap = (universal === 0 || universal === 2) && zero === 0 && high === 0x5e && low === 0xfe;
  return isIsatap ? new ipaddr.IPv4(bytes.slice(12)) : undefined;
}
