// migrate.ts — `darkroom migrate`: brings the tables up to this release and ends.

import { openDatabase } from '../db/open.ts';
import { openLog } from './log.ts';
import { exitCodes, type Session } from './session.ts';
import { readSettings } from './settings.ts';

export async function migrate(session: Session): Promise<number> {
  const { config } = readSettings(session);
  const { databaseUrl: url, dataDir } = config;
  const log = openLog(config, session.err);
  const db = await openDatabase({ url, dataDir, pool: 1, log, migrations: 'run' });
  await db.close();
  session.out.write(`The database${url ? '' : ` in ${dataDir}`} is up to date.\n`);
  return exitCodes.ok;
}
