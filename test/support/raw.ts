// raw.ts — speaks to a server over a plain socket, for what no HTTP client would send.

import { connect } from 'node:net';

export type RawAnswer = { text: string; status: number | undefined; ms: number };

/** Writes the bytes, half-closes if told to, and gives what came back until the connection closed or `ms` passed. */
export async function sendRaw(
  url: string,
  bytes: Buffer | string,
  options: { ms?: number; end?: boolean } = {},
): Promise<RawAnswer> {
  const { ms = 1000, end = true } = options;
  const { hostname, port } = new URL(url);
  const began = performance.now();
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname);
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    if (end) socket.end(bytes);
    else socket.write(bytes);
  });
  const text = Buffer.concat(chunks).toString('latin1');
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  return { text, status: status === undefined ? undefined : Number(status), ms: performance.now() - began };
}
