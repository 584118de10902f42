// openapi.ts — `darkroom openapi`: prints the OpenAPI document, made from the routes without a database or a port.

import { pino } from 'pino';
import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { buildServer } from '../http/server.ts';
import { routeSets } from '../surfaces/dialects.ts';
import { exitCodes, type Session } from './session.ts';
import { readSettings } from './settings.ts';

export async function printOpenApi(session: Session): Promise<number> {
  const { config } = readSettings(session);
  session.out.write(`${JSON.stringify(await openApiDocument(config), null, 2)}\n`);
  return exitCodes.ok;
}

/** The document of a server with these settings. */
export async function openApiDocument(given: Config): Promise<unknown> {
  // Closed whatever the tables of keys say, because there is none.
  const config = { ...given, host: '0.0.0.0', insecureNoAuth: false };
  // The routes register on a server that is never opened, and none is called: what only handlers use is not there.
  const app = { config, log: pino({ enabled: false }), sandbox: { slots: 1 } } as unknown as App;
  const http = await buildServer(app, routeSets);
  try {
    return http.swagger();
  } finally {
    await http.close();
  }
}
