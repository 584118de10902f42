// client.ts — writes docs/openapi.json from the routes, and from it the TypeScript client in client/.
//
// Called by docs.ts, so `npm run docs` keeps both and `npm run check` tells when they are behind.

import { createClient } from '@hey-api/openapi-ts';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiDocument } from '../src/cli/openapi.ts';
import { readConfig } from '../src/config.ts';

/** docs/openapi.json and every file of client/, by path. */
export async function generatedClient(): Promise<Record<string, string>> {
  const document = await openApiDocument(readConfig({}).config);
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
