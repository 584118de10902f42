// client.ts — writes docs/openapi.json from the routes, and from it the TypeScript client in client/.
//
// Called by docs.ts, so `npm run docs` keeps both and `npm run check` tells when they are behind. The routes register on
// a server that is never opened: what they promise is known without a database.

import { createClient } from '@hey-api/openapi-ts';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { buildServer } from '../src/http/server.ts';
import { routeSets } from '../src/surfaces/dialects.ts';

/** docs/openapi.json and every file of client/, by path. */
export async function generatedClient(): Promise<Record<string, string>> {
  const document = await openApiDocument();
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-client-'));
  try {
    await createClient({
      input: document as never, // the generator reads any document and has no type for "some document"
      output: { path: folder, module: { extension: '.ts' } },
      plugins: ['@hey-api/typescript', '@hey-api/sdk', '@hey-api/client-fetch'],
      logs: { level: 'silent', file: false },
    });
    const files = globSync('**/*.ts', { cwd: folder }).toSorted();
    const texts = files.map((path) => [
      `client/${path.replaceAll('\\', '/')}`,
      readFileSync(join(folder, path), 'utf8'),
    ]);
    return { 'docs/openapi.json': `${JSON.stringify(document, null, 2)}\n`, ...Object.fromEntries(texts) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openApiDocument(): Promise<unknown> {
  // Closed whatever the tables of keys say, because there is none.
  const { config } = readConfig({ HOST: '0.0.0.0' });
  // No route is called, so the parts that only handlers use are not there.
  const app = { config, log: pino({ enabled: false }), sandbox: { slots: 1 } } as unknown as App;
  const http = await buildServer(app, routeSets);
  try {
    return http.swagger();
  } finally {
    await http.close();
  }
}
