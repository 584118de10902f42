// key.ts — the words of `darkroom key`: create, list, revoke. Bodies load when they are called.

import { InvalidArgumentError, type Command } from 'commander';
import type { Session } from './session.ts';

export type KeyFlags = { url?: string; key?: string };
export type CreateFlags = KeyFlags & { scope: 'read' | 'write' | 'admin'; owner?: string; expires?: Date };

export function addKeyCommands(
  program: Command,
  session: Session,
  { run, exampleOf }: { run: (body: Promise<number>) => Promise<void>; exampleOf: (line: string) => string },
): void {
  const key = program.command('key').description('keys: who may use the service');
  const command = (words: string, description: string): Command =>
    key
      .command(words)
      .description(description)
      .option('--url <url>', 'ask a server that runs, instead of the database of the settings')
      .option('--key <key>', 'an admin key for it; otherwise DARKROOM_API_KEY');

  command('create', 'make a key; it is printed once, on stdout')
    .argument('<name>', 'what it is for')
    .option('--scope <scope>', 'read, write or admin', scope, 'write')
    .option('--owner <label>', 'whose batches it sees and makes; otherwise its own')
    .option('--expires <day>', 'the day on which it ends, such as 2027-01-31', day)
    .addHelpText('after', exampleOf('darkroom key create shop --scope write'))
    .action((name: string, flags: CreateFlags) =>
      run(import('./key-create.ts').then((body) => body.createKeyNamed(session, name, flags))),
    );

  command('list', 'show all keys, without their secrets')
    .addHelpText('after', exampleOf('darkroom key list'))
    .action((flags: KeyFlags) => run(import('./key-list.ts').then((body) => body.showKeys(session, flags))));

  command('revoke', 'end a key; everywhere within five seconds')
    .argument('<id>', 'its 8 characters, or how it begins')
    .addHelpText('after', exampleOf('darkroom key revoke drk_ab12cd34'))
    .action((id: string, flags: KeyFlags) =>
      run(import('./key-revoke.ts').then((body) => body.revokeKeyNamed(session, id, flags))),
    );
}

function scope(text: string): CreateFlags['scope'] {
  if (text === 'read' || text === 'write' || text === 'admin') return text;
  throw new InvalidArgumentError('It must be read, write or admin.');
}

function day(text: string): Date {
  const date = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && date.getTime() > Date.now()) return date;
  throw new InvalidArgumentError('It must be a day to come, such as 2027-01-31.');
}
