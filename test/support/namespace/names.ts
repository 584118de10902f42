// names.ts — the name server of the namespace: a zone `.test` of names that lead outside, inside, or here and there.

import { createSocket } from 'node:dgram';
import ipaddr from 'ipaddr.js';
import { publicAddress, publicAddress6 } from './trap.ts';

type Answer = { addresses: string[]; alias?: string; afterMs?: number };

const zone: Record<string, Answer> = {
  'public.test': { addresses: [publicAddress] },
  'pub6.test': { addresses: [publicAddress6] },
  'local.test': { addresses: ['127.0.0.1'] },
  'meta.test': { addresses: ['169.254.169.254'] },
  'mixed.test': { addresses: [publicAddress, '127.0.0.1'] },
  'mixed6.test': { addresses: [publicAddress, '::1'] },
  'mapped.test': { addresses: ['::ffff:127.0.0.1'] },
  'nat64.test': { addresses: ['64:ff9b::7f00:1'] },
  'sixtofour.test': { addresses: ['2002:7f00:1::'] },
  'teredo.test': { addresses: ['2001::80ff:fffe'] },
  'ula.test': { addresses: ['fd00:ec2::254'] },
  'zero.test': { addresses: ['0.0.0.0'] },
  'compat.test': { addresses: ['::7f00:1'] },
  'lo6.test': { addresses: ['::1'] },
  'azure.test': { addresses: ['168.63.129.16'] },
  'cgnat.test': { addresses: ['100.100.100.200'] },
  'alias.test': { addresses: ['127.0.0.1'], alias: 'local.test' },
  'slow.test': { addresses: [publicAddress], afterMs: 6000 },
};

const typeA = 1;
const typeAlias = 5;
const typeAaaa = 28;

/** Serves the zone on 127.0.0.53. Every answer may be forgotten at once (TTL 0). */
export async function serveNames(): Promise<() => void> {
  const asked = new Map<string, number>();
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const { name, type, end } = readQuestion(query);
    const answer = answerOf(name, type, asked);
    const reply = answer ? encode(query, end, answer, type) : refuse(query, end);
    setTimeout(() => socket.send(reply, peer.port, peer.address), answer?.afterMs ?? 0);
  });
  await new Promise<void>((done) => socket.bind(53, '127.0.0.53', done));
  return () => socket.close();
}

/**
 * `outside-first.rebind.test` is public when first asked and inside the second time, `inside-first` the other way round,
 * each name by its own count: `3.outside-first.rebind.test` is a fresh try.
 */
function answerOf(name: string, type: number, asked: Map<string, number>): Answer | undefined {
  if (!name.endsWith('rebind.test')) return zone[name];
  if (type !== typeA) return { addresses: [] };
  const times = asked.get(name) ?? 0;
  asked.set(name, times + 1);
  const isOutside = times % 2 === (name.includes('inside-first') ? 1 : 0);
  return { addresses: [isOutside ? publicAddress : '127.0.0.1'] };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function encode(query: Buffer, end: number, { addresses, alias }: Answer, type: number): Buffer {
  const kind = type === typeAaaa ? 'ipv6' : 'ipv4';
  const own = Buffer.from([0xc0, 12]);
  const parsed = addresses.map((address) => ipaddr.parse(address)).filter((address) => address.kind() === kind);
  const records = parsed.map((address) =>
    record(alias ? nameBytes(alias) : own, type, Buffer.from(address.toByteArray())),
  );
  if (alias) records.unshift(record(own, typeAlias, nameBytes(alias)));
  return Buffer.concat([header(query, 0x8180, records.length), query.subarray(12, end), ...records]);
}

function refuse(query: Buffer, end: number): Buffer {
  return Buffer.concat([header(query, 0x8183, 0), query.subarray(12, end)]);
}

function header(query: Buffer, flags: number, answers: number): Buffer {
  const bytes = Buffer.alloc(12);
  query.copy(bytes, 0, 0, 2);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answers, 6);
  return bytes;
}

function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
