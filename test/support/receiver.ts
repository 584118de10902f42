// receiver.ts — a real webhook receiver on loopback that remembers what came and answers as a test says.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Call = { path: string; headers: IncomingHttpHeaders; body: Buffer };
export type Answer = { status: number; headers?: Record<string, string>; body?: string | Buffer };
export type Receiver = AsyncDisposable & {
  /** `127.0.0.1:PORT`, as DARKROOM_ALLOW_HOSTS wants it. */
  host: string;
  url: string;
  calls: Call[];
  /** Most calls that were open at the same time. */
  most: () => number;
};

/** `answer` gets the call and its number, from 1; it may take its time. */
export async function openReceiver(
  answer: (call: Call, number: number) => Answer | Promise<Answer>,
): Promise<Receiver> {
  const calls: Call[] = [];
  let open = 0;
  let most = 0;
  const server = createServer((request, response) => {
    most = Math.max(most, (open += 1));
    response.on('close', () => (open -= 1));
    const reply = async (body: Buffer): Promise<void> => {
      const call = { path: request.url ?? '', headers: request.headers, body };
      const { status, headers, body: content } = await answer(call, calls.push(call));
      response.writeHead(status, headers).end(content);
    };
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void reply(Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}/hook`,
    calls,
    most: () => most,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
