// http-database.test.ts — the database goes away under a running server: 503 until it is back, and no restart.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { problemFrom } from '../src/http/faults.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { csv, openServed } from './support/served.ts';

test.each([
  ['the connection was lost', new Error('Connection terminated unexpectedly')],
  ['it could not be made in time', new Error('Connection terminated due to connection timeout')],
  ['none of the pool became free', new Error('timeout exceeded when trying to connect')],
  ['a statement got no answer', new Error('timeout: no answer from the database within 35000 ms')],
  ['the reply to a commit was lost', new Error('Client has encountered a connection error and is not queryable')],
  ['the server is shutting down', sqlError('57P01')],
  ['its network broke', systemError('ECONNRESET', 'read')],
  ['its name cannot be resolved', systemError('EAI_AGAIN', 'getaddrinfo')],
  ['its disk is full', sqlError('53100')],
  ['it has too many connections', sqlError('53300')],
  ['it is a standby now', sqlError('25006')],
  ['it gave up a statement', sqlError('57014')],
])('503 with Retry-After when %s', (_what, error) => {
  const { status, code, facts } = problemFrom(error);
  expect({ status, code, cause: facts.cause }).toEqual({ status: 503, code: 'unavailable', cause: error });
  expect(facts.retryAfterMs).toBe(5000);
});

test.each([
  ['a row that breaks a rule', sqlError('23505')],
  ['a mistake in a statement', sqlError('42601')],
  ['a client that hangs up', sqlError('ECONNRESET')],
  ['a mistake in our code', new TypeError('x is not a function')],
])('%s stays a fault of our own', (_what, error) => {
  expect(problemFrom(error).status).toBe(500);
});

test.skipIf(!databaseEngines.includes('postgres'))(
  'every route answers 503 while the connections are cut, and works again afterwards',
  async () => {
    const database = await emptyPostgres();
    await using line = await openLine(database.url);
    {
      await using served = await openServed('pglite', { work: false, env: { DATABASE_URL: line.url } });
      const send = () => served.ask('/upload', { form: { file: csv('1,A,http://pictures.invalid/a.jpg\n') } });
      const id = (await send()).json.request_id as string;
      const statuses = async () => {
        const paths = [
          `/status/${id}`,
          `/image_process/status/${id}/`,
          '/v1/batches',
          `/download/${id}`,
          '/v1/files/a.jpg',
        ];
        const answers = await Promise.all(paths.map((path) => served.ask(path)));
        return [...answers, await send()].map(({ status }) => status);
      };
      expect(await statuses()).toEqual([200, 200, 200, 409, 404, 200]);
      line.cut();
      expect(await statuses()).toEqual([503, 503, 503, 503, 503, 503]);
      expect((await served.ask('/livez')).status).toBe(200);
      line.mend();
      await expect.poll(statuses, { timeout: 20_000 }).toEqual([200, 200, 200, 409, 404, 200]);
    }
    await database.drop();
  },
);

function sqlError(code: string): Error {
  return Object.assign(new Error(`the driver says ${code}`), { code });
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(sqlError(code), { syscall });
}

/** A line to the database that can be cut: those who come then are hung up on. */
async function openLine(target: string) {
  const { hostname, port } = new URL(target);
  const ends = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(port || 5432), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from);
      from.on('error', () => {}).on('close', () => (ends.delete(from), to.destroy()));
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cut = () => {
    isCut = true;
    for (const end of ends) end.destroy();
  };
  return {
    url: url.href,
    cut,
    mend: () => void (isCut = false),
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
