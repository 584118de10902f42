// docs.ts — writes every list of the documentation from the code that it describes: `npm run docs`.
//
// With --check it writes nothing, names what is out of date and ends with code 1; that is how `npm run check` calls it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeOperations } from '../src/imaging/grammar.ts';
import { catalogue } from '../src/problem.ts';
import { settings } from '../src/settings/list.ts';
import { mayImport } from '../test/architecture/rooms.ts';
import { generatedClient } from './client.ts';
import {
  architectureWithImports,
  environmentExample,
  errorsPage,
  operationsPage,
  readmeWithOperations,
  settingsPage,
} from './pages.ts';

const root = join(import.meta.dirname, '..');

/** Every generated page, with the text that it should hold. */
export function generatedFiles(): Record<string, string> {
  const operations = describeOperations({ maxOutputSide: settings.maxOutputSide.read(settings.maxOutputSide.initial) });
  return {
    '.env.example': environmentExample(Object.values(settings)),
    'docs/settings.md': settingsPage(Object.values(settings)),
    'docs/errors.md': errorsPage(catalogue),
    'docs/operations.md': operationsPage(operations),
    'ARCHITECTURE.md': architectureWithImports(read('ARCHITECTURE.md'), mayImport),
    'README.md': readmeWithOperations(read('README.md'), operations),
  };
}

/** The paths whose text is another one than it should be. */
export function staleFiles(files: Record<string, string>): string[] {
  return Object.keys(files).filter((path) => read(path) !== files[path]);
}

function read(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return ''; // not there yet
  }
}

if (import.meta.main) {
  const files = { ...generatedFiles(), ...(await generatedClient()) };
  for (const path of staleFiles(files)) {
    if (process.argv.includes('--check')) {
      console.error(`${path} is out of date: run \`npm run docs\`.`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), files[path] ?? '');
      console.log(`${path} written`);
    }
  }
}
