// listen.ts — `darkroom listen`: a receiver of webhooks on this machine, which checks signatures and prints what comes.
//
// It listens on loopback alone, and answers 204, or 401 to what is not signed with the secret, as receivers should.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isGenuine } from '../notify/signing.ts';
import type { ListenFlags } from './index.ts';
import { harmless } from './log.ts';
import { exitCodes, untilStopped, type Session } from './session.ts';

const mostBytes = 1024 ** 2;

export async function listen(session: Session, { port, secret, json }: ListenFlags): Promise<number> {
  if (secret !== undefined && !/^whsec_[A-Za-z0-9+/=]+$/.test(secret)) {
    session.err.write('--secret must look like whsec_…\n');
    return exitCodes.usage;
  }
  const receive = async (request: IncomingMessage, answer: (status: number) => void): Promise<void> => {
    if (request.method !== 'POST') return answer(405);
    const body = await bodyOf(request);
    if (body === undefined) return answer(413);
    const isGood = secret === undefined ? undefined : isGenuine(secret, request.headers, body);
    answer(isGood === false ? 401 : 204);
    session.err.write(`${lineOf(request, body, isGood)}\n`);
    if (json && isGood !== false) session.out.write(`${body.replaceAll('\n', ' ')}\n`);
  };
  const server = createServer((request, response) => {
    const answer = (status: number): void => void response.writeHead(status, { connection: 'close' }).end();
    receive(request, answer).catch(() => request.destroy());
  });
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    session.err.write(
      `Port ${port} cannot be listened on (${(error as NodeJS.ErrnoException).code}). Take another one by --port.\n`,
    );
    return exitCodes.failed;
  }
  session.err.write(welcome((server.address() as AddressInfo).port, secret !== undefined));
  await untilStopped(session, exitCodes.interrupted);
  server.close();
  server.closeAllConnections();
  return exitCodes.ok;
}

function welcome(port: number, checks: boolean): string {
  return (
    `Webhooks to http://127.0.0.1:${port}/ are printed here. Ctrl-C stops.\n` +
    `The server must allow that address: DARKROOM_ALLOW_HOSTS=127.0.0.1:${port}\n` +
    (checks ? '' : 'Signatures are not checked: give the secret by --secret.\n')
  );
}

/** The whole body as text; undefined when it is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > mostBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

/** `12:00:05 signed   POST /hook  msg_…  batch.finished  {"…` — what a stranger sends must not steer the terminal. */
function lineOf({ url, headers }: IncomingMessage, body: string, isGood: boolean | undefined): string {
  const word = isGood === undefined ? 'unchecked' : isGood ? 'signed' : 'FORGED';
  const parts = [
    new Date().toISOString().slice(11, 19),
    word.padEnd(9),
    url,
    String(headers['webhook-id'] ?? '-'),
    body.slice(0, 500),
  ];
  return harmless(parts.join('  ')).replaceAll(/\p{Cc}/gu, ' ');
}
