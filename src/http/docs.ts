// docs.ts — /openapi.json, made from the schemas of the routes.
//
// A route says what it takes and answers. The rest is told here for all of them alike: what can go wrong (docs-problems),
// files (docs-files), an example of each body and answer (docs-examples), and types by name (docs-types).

import swagger from '@fastify/swagger';
import type { App } from '../app.ts';
import { version } from '../version.ts';
import { exampleOf } from './docs-examples.ts';
import { fileAnswer } from './docs-files.ts';
import { addDocsPages } from './docs-pages.ts';
import { problemAnswers, type Examples, type Operation } from './docs-problems.ts';
import { nameTypes } from './docs-types.ts';
import type { Http, RouteSets, Scope } from './http.ts';

type Content = Record<string, { schema?: object; example?: unknown; examples?: object }>;
type Answers = Record<string, { description?: string; content?: Content }>;
type Documented = Operation & {
  requestBody?: { content: Content };
  parameters?: { name: string; schema: object; example?: unknown }[];
  responses: Answers;
  security?: object[];
};
type Paths = Record<string, Record<string, Documented>>;

/** To be called before the routes register: the document gathers them as they come. */
export async function addDocs(http: Http, app: Pick<App, 'config'>, routes: RouteSets): Promise<void> {
  const scopes = new Map<string, Scope>();
  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Darkroom',
        version,
        description: 'Turns piles of pictures into finished ones in the background.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: routes.sets.map(({ name, summary }) => ({ name, description: summary })),
      components: { securitySchemes },
    },
    // A route that reads its body by itself has none for the validator, but it has one for the reader.
    transform: ({ schema, url, route }) => {
      const bodies = Object.entries(route.config?.bodies ?? {}).map(([type, body]) => [type, { schema: body }]);
      const { operationId } = schema as { operationId?: string };
      if (operationId !== undefined) scopes.set(operationId, route.config?.scope ?? 'public');
      return { url, schema: bodies.length > 0 ? { ...schema, body: { content: Object.fromEntries(bodies) } } : schema };
    },
    transformObject: (made) => {
      if (!('openapiObject' in made)) return made.swaggerObject;
      // Known from when the server listens: with PORT=0 not before.
      const publicUrl = app.config.publicUrl || 'http://localhost:8000';
      // What the generator has just made: its own types allow more than it makes.
      const { paths, components, ...rest } = structuredClone(made.openapiObject) as {
        paths: Paths;
        components: object;
      };
      const examples: Examples = {};
      for (const [path, methods] of Object.entries(paths))
        for (const [method, operation] of Object.entries(methods))
          complete(
            operation,
            { method, path, scope: scopes.get(operation.operationId) ?? 'public' },
            { shape: routes.shapeOf(path), publicUrl, examples },
          );
      const document = { ...rest, servers: [{ url: publicUrl }], paths, components: { ...components, examples } };
      return nameTypes(document);
    },
  });
  await addDocsPages(http);
  let document: string | undefined;
  http.get('/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) => {
    document ??= JSON.stringify(http.swagger());
    return reply.type('application/json; charset=utf-8').send(document);
  });
}

const securitySchemes = {
  key: { type: 'http', scheme: 'bearer', description: 'A key, once there are any: `Authorization: Bearer drk_…`' },
  session: { type: 'apiKey', in: 'cookie', name: 'darkroom_session', description: 'The page, once signed in.' },
} as const;

type Route = { method: string; path: string; scope: Scope };

/** All that can be told of an operation without asking its route. */
function complete(operation: Documented, route: Route, dialect: Parameters<typeof problemAnswers>[2]): void {
  operation.security = route.scope === 'public' ? [] : [{ key: [] }, { session: [] }, {}];
  for (const parameter of operation.parameters ?? []) parameter.example ??= exampleOf(parameter.schema, parameter.name);
  for (const content of Object.values(operation.requestBody?.content ?? {}))
    content.example ??= exampleOf(content.schema);
  for (const [status, answer] of Object.entries(operation.responses)) {
    if (status === '204') delete answer.content;
    else answer.content = fileAnswer(operation.operationId, answer.content);
    answer.description = describe(status, answer.description);
    for (const content of Object.values(answer.content ?? {})) content.example ??= exampleOf(content.schema);
  }
  for (const [status, answer] of Object.entries(problemAnswers(operation, route, dialect))) {
    const known = operation.responses[status];
    operation.responses[status] = { ...answer, ...known, content: { ...answer.content, ...known?.content } };
  }
}

const words: Record<string, string> = {
  '200': 'It is done.',
  '201': 'It is made.',
  '202': 'It has begun; the answer says where to look.',
  '204': 'It is done, and there is nothing to say.',
};

const describe = (status: string, given: string | undefined): string =>
  given === undefined || given === 'Default Response' ? (words[status] ?? 'An answer.') : given;
