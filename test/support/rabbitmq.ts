// rabbitmq.ts — a private RabbitMQ for a test file, where the program is installed.
//
// It needs 5 s and more to start, so only the files that speak to it start one. Erlang brings a name server of its own
// port, which is ended with it.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, startServer } from './private-server.ts';
import { freePort } from './product.ts';
import type { Broker } from './redis.ts';

/** Undefined where it is not installed. Debian's own command on PATH changes the user; the real one lies behind it. */
export const rabbitmqProgram = findProgram(['rabbitmq-server'], ['/usr/lib/rabbitmq/bin']);

/** One that somebody else runs, for tests that leave it alive; '' when there is none. */
export const givenRabbitmq = process.env.DARKROOM_TEST_RABBITMQ_URL ?? '';

export async function startRabbitmq({ parent = tmpdir() } = {}): Promise<Broker> {
  const folder = mkdtempSync(join(parent, 'darkroom-rabbitmq-'));
  const [port, distribution, names] = [await freePort(), await freePort(), await freePort()];
  const env = {
    HOME: folder,
    RABBITMQ_NODENAME: `darkroom${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    ERL_EPMD_PORT: String(names),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // Its name server may be ended at once, though it has not noticed yet that the server is gone.
    ERL_EPMD_RELAXED_COMMAND_CHECK: '1',
  };
  const command = [rabbitmqProgram ?? 'rabbitmq-server'];
  const server = await startServer({ folder, port, command, env, afterwards: 'epmd -kill >/dev/null 2>&1' });
  return { ...server, url: `amqp://guest:guest@127.0.0.1:${port}` };
}
