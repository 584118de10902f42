// rooms.ts — who may import whom, and what may be touched in one place only.
//
// The table is the table in ARCHITECTURE.md, which is written from here. A room is a folder of src/ or a file that lies directly in it; what is
// not named in a room's line may not be imported there.

import ts from 'typescript';
import { importsOf, parse, targetOf, walk, type Rule } from './source.ts';

/** Files that everyone may import: words, not parts. */
const everywhere = ['src/app.ts', 'src/problem.ts', 'src/config.ts', 'src/version.ts'];

/** What each room may import besides itself: a folder (ends with /) or single files of it. `*` = everything. */
export const mayImport: Record<string, readonly string[]> = {
  'main.ts': ['src/cli/', 'src/start.ts', 'src/settings/'],
  'start.ts': ['*'],
  'app.ts': [
    'src/db/database.ts',
    'src/egress/egress.ts',
    'src/imaging/imaging.ts',
    'src/metrics.ts',
    'src/notify/notify.ts',
    'src/queue/queue.ts',
    'src/storage/storage.ts',
  ],
  'config.ts': ['src/settings/'],
  'problem.ts': ['src/problems/'],
  'version.ts': [],
  // Types alone: whose numbers are counted.
  'metrics.ts': ['src/batches/claim.ts', 'src/batches/settle.ts', 'src/egress/egress.ts', 'src/imaging/imaging.ts'],
  settings: [],
  problems: [],
  // Most commands start the house or speak to one that runs; migrate, config check and doctor open single parts, process
  // submits and reads by itself, key works on the table of keys, openapi asks the routes what they promise.
  cli: [
    'client/',
    'src/start.ts',
    'src/settings/',
    'src/db/',
    'src/storage/index.ts',
    'src/storage/storage.ts',
    'src/queue/index.ts',
    'src/queue/queue.ts',
    'src/batches/',
    'src/catalogs/',
    'src/imaging/grammar.ts',
    'src/imaging/sandbox.ts',
    'src/http/keys.ts',
    'src/http/server.ts',
    'src/http/sessions.ts',
    'src/surfaces/dialects.ts',
    'src/notify/signing.ts',
  ],
  surfaces: [
    'src/http/',
    'src/batches/',
    'src/catalogs/',
    'src/notify/',
    'src/imaging/grammar.ts',
    'src/imaging/presets.ts',
    'src/metrics.ts',
    'src/samples/',
  ],
  // settings/read.ts: `nearest`, for "did you mean".
  http: [
    'src/settings/read.ts',
    'src/notify/notify.ts',
    'src/notify/running.ts',
    'src/storage/storage.ts',
    'src/batches/read.ts',
    'src/batches/read-events.ts',
    'src/batches/read-images.ts',
    'src/batches/read-output.ts',
    'src/batches/wait.ts',
    'src/db/',
  ],
  batches: [
    'src/catalogs/',
    'src/imaging/',
    'src/egress/',
    'src/notify/',
    'src/queue/queue.ts',
    'src/storage/storage.ts',
    'src/db/',
  ],
  notify: ['src/db/', 'src/egress/'],
  queue: ['src/db/database.ts'],
  storage: [],
  egress: [],
  catalogs: [],
  imaging: [],
  samples: ['src/imaging/imaging.ts'],
  db: [],
};

const roomOf = (path: string) => path.split('/')[1] ?? '';

/** An import may only go where the table allows. */
export const importsStayInTheirRooms: Rule = (source) => {
  const room = roomOf(source.path);
  const allowed = mayImport[room];
  if (!allowed) return [`src/${room} is no room of the table in test/architecture/rooms.ts.`];
  if (allowed.includes('*')) return [];
  return importsOf(source)
    .map((each) => targetOf(source.path, each.specifier))
    .filter((target) => target !== undefined)
    .filter((target) => roomOf(target) !== room && !everywhere.includes(target))
    .filter((target) => !allowed.some((place) => (place.endsWith('/') ? target.startsWith(place) : target === place)))
    .map((target) => `imports ${target}, which ${room} may not (ARCHITECTURE.md, who may import whom).`);
};

/** sharp decodes what strangers send; only the child process that can be killed may run it. */
export const sharpRunsInTheChild: Rule = (source) =>
  source.path === 'src/imaging/child.ts'
    ? []
    : importsOf(source)
        .filter((each) => /^(sharp|@img\/)/.test(each.specifier) && !each.typesOnly)
        .map(() => 'imports sharp; only src/imaging/child.ts may.');

/** The environment is read once, so that a setting has one name and one place. */
export const environmentIsReadOnce: Rule = (source) => {
  if (['src/config.ts', 'src/main.ts'].includes(source.path)) return [];
  const faults: string[] = [];
  walk(parse(source), (node) => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === 'env' && node.expression.getText() === 'process')
      faults.push('reads process.env; only src/config.ts and src/main.ts may.');
  });
  if (importsOf(source).some((each) => /^(node:)?process$/.test(each.specifier)))
    faults.push('imports node:process, and with it the environment; only src/config.ts and src/main.ts may.');
  return faults;
};

const networkModules = /^(undici|(node:)?(http|https|http2|net|tls|dgram|dns|dns\/promises))$/;
/** Where a socket may be opened: the guarded client, the server, the owner lock, the command line, the drivers. */
const networkPlaces =
  /^src\/(egress\/|http\/|cli\/|db\/lock\.ts$|db\/postgres\.ts$|queue\/(redis|rabbitmq)\.ts$|storage\/s3\.ts$)/;

/** A request that a stranger can steer must pass the guard in egress/, so nothing else may speak to the network. */
export const networkGoesThroughEgress: Rule = (source) => {
  if (networkPlaces.test(source.path)) return [];
  const faults = importsOf(source)
    .filter((each) => networkModules.test(each.specifier) && !each.typesOnly)
    .map((each) => `imports ${each.specifier}; the network is for egress/, http/, cli/ and drivers.`);
  walk(parse(source), (node) => {
    if (ts.isCallExpression(node) && /^(globalThis\.)?fetch$/.test(node.expression.getText()))
      faults.push('calls fetch; the network is for egress/, http/, cli/ and drivers.');
    if (ts.isNewExpression(node) && /^(globalThis\.)?(WebSocket|EventSource)$/.test(node.expression.getText()))
      faults.push(`opens a ${node.expression.getText()}; the network is for egress/, http/, cli/ and drivers.`);
  });
  return faults;
};

/** Values reach SQL as parameters; text that is pasted in is how injections begin. */
export const sqlTakesParameters: Rule = (source) => {
  if (source.path.startsWith('src/db/migrations/')) return [];
  const faults: string[] = [];
  walk(parse(source), (node) => {
    if (ts.isPropertyAccessExpression(node) && /^sql\.(raw|lit|literal)$/.test(node.getText()))
      faults.push(`uses ${node.getText()}; only src/db/migrations may.`);
  });
  return faults;
};
