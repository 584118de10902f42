// worker.ts — `darkroom worker`: processes images until it is told to stop; it opens no port unless one is named.

import { start } from '../start.ts';
import { version } from '../version.ts';
import type { WorkerFlags } from './index.ts';
import { openLog } from './log.ts';
import { exitCodes, untilStopped, type Session } from './session.ts';
import { readSettings } from './settings.ts';

export async function worker(session: Session, flags: WorkerFlags): Promise<number> {
  const { config } = readSettings(session, flags.slots === undefined ? {} : { slots: flags.slots });
  const log = openLog(config, session.out);
  const started = await start(config, { version, log, serve: false, work: true, probePort: flags.port });
  if (started.url) session.err.write(`Health on ${started.url}/health\n`);
  session.err.write(`Darkroom ${version} works on ${config.slots} images at a time. Ctrl-C stops.\n`);
  await untilStopped(session, exitCodes.failed);
  session.err.write('Stopping: work in hand is finished. Ctrl-C again stops at once.\n');
  await started.stop();
  return exitCodes.ok;
}
