// lossy-line.ts — a line to PostgreSQL on which the reply to a commit gets lost: done, and nobody is told.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

export type LossyLine = AsyncDisposable & {
  /** The URL of the database with the address of the line in it. */
  url: string;
  /** From now on the replies to so many commits get lost, of transactions in which this text was said. */
  lose(count: number, saying: string): void;
  /** How many were lost since. */
  readonly lost: number;
};

export async function openLossyLine(target: string): Promise<LossyLine> {
  const { hostname, port } = new URL(target);
  const state = { left: 0, lost: 0, saying: '' };
  const cuts = new Set<() => void>();

  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const cut = () => {
      near.resetAndDestroy();
      far.resetAndDestroy();
      cuts.delete(cut);
    };
    cuts.add(cut);
    let said = '';
    let isLosing = false;
    near.on('data', (piece: Buffer) => {
      const text = piece.toString('latin1');
      // The driver sends both as statements of their own, ended by NUL.
      said = text.includes('begin\0') ? text : said + text;
      if (text.includes('commit\0') && state.left > 0 && said.includes(state.saying)) {
        state.left -= 1;
        isLosing = true;
      }
      far.write(piece);
    });
    far.on('data', (piece: Buffer) => {
      if (!isLosing) return void near.write(piece);
      state.lost += 1;
      cut();
    });
    for (const end of [near, far]) end.on('error', cut).on('close', cut);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    lose: (count, saying) => void Object.assign(state, { left: count, lost: 0, saying }),
    get lost() {
      return state.lost;
    },
    async [Symbol.asyncDispose]() {
      for (const cut of cuts) cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
