// index.ts — the command line: which commands there are, what they take, and how mistakes are told.
//
// Only commander is loaded here; a body is loaded when its command is called, because the libraries behind it cost more
// time than `--help` may take.

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { addBatchCommands } from './batch.ts';
import { addKeyCommands } from './key.ts';
import { exitCodes, type Session } from './session.ts';

const exampleOf = (line: string): string => `\nExample:\n  $ ${line}`;

const versionWords = new Set(['-V', '--version']);

/** Runs the command line `words` and resolves with the exit code. Never rejects. */
export async function runCommand(words: string[], session: Session): Promise<number> {
  let code: number = exitCodes.ok;
  const run = (body: Promise<number>): Promise<void> => body.then((result) => void (code = result));
  if (words.length === 1 && versionWords.has(words[0] ?? '')) {
    session.out.write(`${(await import('../version.ts')).version}\n`);
    return exitCodes.ok;
  }
  try {
    await programOf(session, run).parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return (await import('./mistakes.ts')).tellMistake(session, error);
  }
}

function programOf(session: Session, run: (body: Promise<number>) => Promise<void>): Command {
  const program = new Command('darkroom')
    .description('Turns piles of pictures into finished ones in the background.')
    .option('-V, --version', 'tell which release this is')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => session.out.write(text),
      writeErr: (text) => session.err.write(text),
      getOutHelpWidth: () => session.out.columns ?? 80,
      getErrHelpWidth: () => session.err.columns ?? 80,
    })
    .showHelpAfterError('(add --help for what is possible)');

  program
    .command('serve')
    .description('answer HTTP, and work unless told otherwise')
    .option('--port <port>', 'port to listen on; 0 takes a free one')
    .option('--host <address>', 'address to listen on')
    .option('--no-worker', 'answer HTTP only; workers run elsewhere')
    .option('--insecure-no-auth', 'serve beyond loopback without any key')
    .addHelpText('after', exampleOf('darkroom serve --port 8001'))
    .action((options: ServeFlags) => run(import('./serve.ts').then((body) => body.serve(session, options))));

  program
    .command('worker')
    .description('process images, without answering HTTP')
    .option('--slots <n>', 'images in flight at the same time')
    .option('--port <port>', 'answer /livez, /readyz, /health and /metrics here; 0 takes a free one', portNumber)
    .addHelpText('after', exampleOf('DATABASE_URL=postgres://db/darkroom darkroom worker --slots 8'))
    .action((options: WorkerFlags) => run(import('./worker.ts').then((body) => body.worker(session, options))));

  program
    .command('process')
    .description('process a catalog here and now, or with --url by a server')
    .argument('<catalog>', 'CSV file with image URLs')
    .requiredOption('--out <file>', 'where the CSV with results is written; images go into a folder beside it')
    .option('--url <url>', 'let this server do it, which keeps the images')
    .option('--key <key>', 'a key for it; otherwise DARKROOM_API_KEY')
    .option('--batch <id>', 'go on with a batch of that server')
    .option('--pipeline <pipeline>', 'what is done to each picture, such as fit:800x600/webp:75')
    .option('--json', 'one JSON object a line on stdout, for programs')
    .option('--quiet', 'no progress')
    .option('--fail-fast', 'stop at the first image that fails')
    .option('--max-failures <n>', 'stop when so many images have failed', wholeAboveZero)
    .addHelpText('after', exampleOf('darkroom process catalog.csv --out out.csv --pipeline "fit:800x600/webp:75"'))
    .addHelpText(
      'after',
      '\nExit code: 0 all succeeded, 1 some failed, 2 cannot be read, 3 no server, 4 another key, 70 our fault, 130 interrupted.',
    )
    .action((catalog: string, options: ProcessFlags) =>
      run(import('./process.ts').then((body) => body.processCatalog(session, catalog, options))),
    );

  addBatchCommands(program, session, { run, exampleOf });

  program
    .command('listen')
    .description('receive webhooks on this machine, check their signatures and print them')
    .option('--port <port>', 'port to listen on', portNumber, 9000)
    .option('--secret <secret>', 'whsec_…, which signs them; see /v1/admin/webhook_secret')
    .option('--json', 'the bodies as they came, one a line on stdout')
    .addHelpText('after', exampleOf('darkroom listen --port 9000 --secret whsec_…'))
    .action((flags: ListenFlags) => run(import('./listen.ts').then((body) => body.listen(session, flags))));

  program
    .command('openapi')
    .description('print the OpenAPI document of this release')
    .addHelpText('after', exampleOf('darkroom openapi > openapi.json'))
    .action(() => run(import('./openapi.ts').then((body) => body.printOpenApi(session))));

  program
    .command('doctor')
    .description('find out why it does not run: this machine, the settings, and what they point to')
    .addHelpText('after', exampleOf('darkroom doctor'))
    .action(() => run(import('./doctor.ts').then((body) => body.examine(session))));

  program
    .command('migrate')
    .description('bring the database up to this release, and end')
    .addHelpText('after', exampleOf('DATABASE_URL=postgres://db/darkroom darkroom migrate'))
    .action(() => run(import('./migrate.ts').then((body) => body.migrate(session))));

  program
    .command('config')
    .description('settings')
    .command('check')
    .description('show what is in force and try what it points to')
    .addHelpText('after', exampleOf('darkroom config check'))
    .action(() => run(import('./config-check.ts').then((body) => body.checkConfig(session))));

  addKeyCommands(program, session, { run, exampleOf });
  return program;
}

export type ServeFlags = { port?: string; host?: string; worker: boolean; insecureNoAuth?: boolean };
export type WorkerFlags = { slots?: string; port?: number };
export type ListenFlags = { port: number; secret?: string; json?: boolean };
export type ProcessFlags = {
  out: string;
  url?: string;
  key?: string;
  batch?: string;
  pipeline?: string;
  json?: boolean;
  quiet?: boolean;
  failFast?: boolean;
  maxFailures?: number;
};

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
  return Number(text);
}

function wholeAboveZero(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return number;
}
