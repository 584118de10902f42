// api.ts — the server alone, without a worker, on a database that is already there: what the side of HTTP needs itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openAsBlob } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort } from './port.ts';
import { untilReady } from './server.ts';

export type Api = {
  pid: number;
  /** Sends the catalog; resolves with its id as soon as it is accepted. */
  upload(file: string): Promise<string>;
  /** Reads the whole output, as fast as it comes; gives its bytes. */
  download(id: string): Promise<number>;
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export async function startApi(dataDir: string, databaseUrl: string): Promise<Api> {
  const port = await freePort();
  const env = {
    PATH: process.env.PATH ?? '',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    DARKROOM_LOG_LEVEL: 'silent',
  };
  const child = spawn(process.execPath, [program, 'serve', '--no-worker'], { env, stdio: 'ignore' });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill('SIGKILL');
    if (!hasEnded()) await once(child, 'exit');
  };
  await untilReady(url, hasEnded).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    pid: child.pid ?? 0,
    upload: async (file) => {
      const body = new FormData();
      body.set('file', await openAsBlob(file), 'catalog.csv');
      const answer = await answered(await fetch(`${url}/upload`, { method: 'POST', body }));
      return ((await answer.json()) as { request_id: string }).request_id;
    },
    download: async (id) => {
      const { body } = await answered(await fetch(`${url}/download/${id}`));
      let bytes = 0;
      for await (const chunk of body ?? []) bytes += chunk.length;
      return bytes;
    },
    stop,
  };
}

async function answered(answer: Response): Promise<Response> {
  if (!answer.ok) throw new Error(`${answer.url} answers ${answer.status}: ${await answer.text()}`);
  return answer;
}
