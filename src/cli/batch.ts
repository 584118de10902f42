// batch.ts — the words of `darkroom batch`: list, show, watch, retry, cancel, delete, download. Bodies load when called.

import { InvalidArgumentError, type Command } from 'commander';
import type { RemoteFlags } from './remote.ts';
import type { Session } from './session.ts';

export type ListFlags = RemoteFlags & { state?: string; limit: number; json?: boolean };
export type ShowFlags = RemoteFlags & { json?: boolean };
export type WatchFlags = RemoteFlags & { quiet?: boolean };
export type RetryFlags = RemoteFlags & { code?: string[]; host?: string[] };
export type DeleteFlags = RemoteFlags & { cancel?: boolean };
export type DownloadFlags = RemoteFlags & {
  out?: string;
  form: 'original' | 'seed' | 'long';
  failed?: boolean;
  partial?: boolean;
};

type Wiring = { run: (body: Promise<number>) => Promise<void>; exampleOf: (line: string) => string };

export function addBatchCommands(program: Command, session: Session, { run, exampleOf }: Wiring): void {
  const batch = program.command('batch').description('batches of a server that runs');
  const command = (words: string, description: string, example: string): Command =>
    batch
      .command(words)
      .description(description)
      .option('--url <url>', 'the server; otherwise PUBLIC_URL, or this machine at PORT')
      .option('--key <key>', 'a key for it; otherwise DARKROOM_API_KEY')
      .addHelpText('after', exampleOf(`darkroom batch ${example}`));

  command('list', 'the newest batches', 'list --state running')
    .option('--state <state>', 'only those in this state, such as running or failed')
    .option('--limit <n>', 'how many', count, 20)
    .option('--json', 'one JSON object a line')
    .action((flags: ListFlags) => run(import('./batch-list.ts').then((body) => body.listAll(session, flags))));

  command('show <id>', 'one batch, and why images failed', 'show 0199c0de-…')
    .option('--json', 'the batch as the API tells it')
    .action((id: string, flags: ShowFlags) =>
      run(import('./batch-show.ts').then((body) => body.show(session, id, flags))),
    );

  command('watch <id>', 'follow a batch to its end; exit code 1 when images failed', 'watch 0199c0de-…')
    .option('--quiet', 'no progress')
    .action((id: string, flags: WatchFlags) =>
      run(import('./batch-watch.ts').then((body) => body.watch(session, id, flags))),
    );

  command('retry <id>', 'try failed images again', 'retry 0199c0de-… --code timeout')
    .option('--code <codes...>', 'only those that failed for these reasons')
    .option('--host <hosts...>', 'only those of these hosts')
    .action((id: string, flags: RetryFlags) =>
      run(import('./batch-change.ts').then((body) => body.retry(session, id, flags))),
    );

  command('cancel <id>', 'end what waits; what is in hand is finished', 'cancel 0199c0de-…').action(
    (id: string, flags: RemoteFlags) =>
      run(import('./batch-change.ts').then((body) => body.cancel(session, id, flags))),
  );

  command('delete <id>', 'forget a batch with its results', 'delete 0199c0de-…')
    .option('--cancel', 'also one that still runs')
    .action((id: string, flags: DeleteFlags) =>
      run(import('./batch-change.ts').then((body) => body.remove(session, id, flags))),
    );

  command('download <id>', 'the CSV with results, on stdout or into a file', 'download 0199c0de-… --out output.csv')
    .option('--out <file>', 'where it is written')
    .option('--form <form>', 'original, seed, or long: a line for each image', form, 'original')
    .option('--failed', 'only the rows with failures, ready to be sent again')
    .option('--partial', 'also while the batch runs')
    .action((id: string, flags: DownloadFlags) =>
      run(import('./batch-download.ts').then((body) => body.download(session, id, flags))),
    );
}

function count(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 500) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 500.');
}

function form(text: string): DownloadFlags['form'] {
  if (text === 'original' || text === 'seed' || text === 'long') return text;
  throw new InvalidArgumentError('It must be original, seed or long.');
}
