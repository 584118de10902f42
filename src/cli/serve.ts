// serve.ts — `darkroom serve`: answers HTTP until it is told to stop.

import type { Config } from '../config.ts';
import { anyKey } from '../http/keys.ts';
import { createSignInLink } from '../http/sessions.ts';
import { start, type Started } from '../start.ts';
import { version } from '../version.ts';
import type { ServeFlags } from './index.ts';
import { openLog } from './log.ts';
import { boundNursery } from './nursery.ts';
import { listenerOf } from './port.ts';
import { exitCodes, untilStopped, type Session } from './session.ts';
import { readSettings } from './settings.ts';

const hour = 3_600_000;

export async function serve(session: Session, flags: ServeFlags): Promise<number> {
  const { config } = readSettings(session, {
    ...(flags.port !== undefined && { port: flags.port }),
    ...(flags.host !== undefined && { host: flags.host }),
    ...(flags.insecureNoAuth && { insecureNoAuth: 'on' }),
  });
  const log = openLog(config, session.out);
  if (!flags.worker) boundNursery();
  let started: Awaited<ReturnType<typeof start>>;
  try {
    started = await start(config, { version, log, serve: true, work: flags.worker });
  } catch (error) {
    const sentence = await cannotListen(error, config);
    if (sentence === undefined) throw error;
    session.err.write(`${sentence}\n`);
    return exitCodes.failed;
  }
  session.err.write(greeting(started.app.config, started.url ?? '', flags.worker) + (await adminLine(started)));
  const isOpen = async () => !config.apiKey && !(await anyKey(started.app).catch(() => true));
  const remind = () => void isOpen().then((yes) => yes && log.warn(open));
  const reminder = config.insecureNoAuth ? setInterval(remind, hour) : undefined;
  await untilStopped(session, exitCodes.failed);
  session.err.write('Stopping: work in hand is finished. Ctrl-C again stops at once.\n');
  clearInterval(reminder);
  await started.stop();
  return exitCodes.ok;
}

const open = 'DARKROOM_INSECURE_NO_AUTH is on: whoever reaches this port may do everything';

function greeting(config: Config, url: string, works: boolean): string {
  const page = config.publicUrl || url;
  const database = config.databaseUrl ? 'PostgreSQL' : 'embedded PostgreSQL';
  const lines = [
    ['Darkroom', `${version} on ${page}`],
    ['API', `${page}/docs`],
    ['Data', config.dataDir],
    ['Database', database],
    ['Queue', config.queueUrl ? 'broker' : 'the database'],
    ['Worker', works ? `${config.slots} images at a time` : 'none here: start `darkroom worker`'],
  ];
  return `\n${lines.map(([name = '', text = '']) => `  ${name.padEnd(10)}${text}\n`).join('')}\n  Ctrl-C stops.\n\n`;
}

/** Where the operator signs in once keys exist: a link that works once, within a quarter of an hour. */
async function adminLine({ app, url }: Started): Promise<string> {
  if (!app.config.apiKey && !(await anyKey(app))) return '';
  const token = await createSignInLink(app);
  return token === undefined ? '' : `  Sign in once: ${app.config.publicUrl || url}/admin#token=${token}\n\n`;
}

/** What to do about an address that cannot be listened on; undefined for any other error. */
async function cannotListen(error: unknown, { host, port }: Config): Promise<string | undefined> {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const pid = await listenerOf(port);
    const by = pid === undefined ? 'another process' : `process ${pid}`;
    return `Port ${port} is in use by ${by}. Stop it or: PORT=${port + 1} npm start`;
  }
  if (code === 'EACCES' && syscall === 'listen') return `PORT=${port} is for root alone. Take one above 1023.`;
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo')
    return `HOST=${host} is not an address of this machine (${code}).`;
  return undefined;
}
