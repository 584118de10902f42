// docs-pages.ts — /docs and /redoc: the OpenAPI document as pages. Nothing is loaded from another host.
//
// Swagger UI is a dependency. ReDoc is one file, which the setup brings (scripts/redoc.mjs); where it could not, /redoc
// says so. Its page names the character set, because a regular expression in that file is broken under another one.

import swaggerUi from '@fastify/swagger-ui';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { docsPolicy } from './headers.ts';
import type { Http } from './http.ts';
import { sendWebFile, webFile } from './web.ts';

const redocFile = join(import.meta.dirname, '../../.cache/redoc/redoc.standalone.js');
const options = { config: { scope: 'public' }, schema: { hide: true } } as const;

export async function addDocsPages(http: Http, file = redocFile): Promise<void> {
  await http.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: docsPolicy,
    uiConfig: { validatorUrl: null, tryItOutEnabled: true },
    theme: { title: 'Darkroom API' },
    // "Try it" asks the host that the page came from, by whatever name: the policy forbids any other.
    transformSpecification: (document) => ({ ...document, servers: [{ url: '/' }] }),
    transformSpecificationClone: false,
  });
  addRedoc(http, existsSync(file) ? readFileSync(file) : undefined);
}

function addRedoc(http: Http, script: Buffer | undefined): void {
  const page = webFile(Buffer.from(script ? redocPage : missingPage), 'text/html; charset=utf-8');
  http.get('/redoc', options, async (request, reply) => {
    reply.header('content-security-policy', docsPolicy).header('cache-control', 'no-cache');
    if (!script) reply.code(503);
    return sendWebFile(request, reply, page);
  });
  if (!script) return;
  const served = webFile(script, 'text/javascript; charset=utf-8');
  http.get('/redoc/redoc.standalone.js', options, async (request, reply) =>
    sendWebFile(request, reply.header('cache-control', 'no-cache'), served),
  );
}

const head = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Darkroom API</title>`;

const redocPage = `${head}
<body>
<redoc spec-url="/openapi.json" disable-search="true" hide-download-button="false"></redoc>
<noscript>This page is drawn by a script. The document itself: <a href="/openapi.json">openapi.json</a>.</noscript>
<script src="/redoc/redoc.standalone.js"></script>
</body>
</html>
`;

const missingPage = `${head}
<h1>ReDoc is not here</h1>
<p><code>node scripts/setup.mjs --web</code> brings it, and needs a network for that. Then start again.</p>
<p>The same is told by <a href="/docs">/docs</a> and <a href="/openapi.json">/openapi.json</a>.</p>
</html>
`;
