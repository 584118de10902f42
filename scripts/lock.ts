// lock.ts — writes the lock files anew: `npm run lock`, after a pin in package.json was changed.
//
// In an empty folder each time, because npm leaves out the integrity of every package that it finds installed beside
// the lock file. The registry's addresses are left out on purpose (.npmrc), so that any mirror can serve them.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

for (const folder of ['.', 'test/services']) {
  const empty = mkdtempSync(join(tmpdir(), 'darkroom-lock-'));
  try {
    for (const name of ['package.json', '.npmrc']) copyFileSync(join(root, folder, name), join(empty, name));
    const args = ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', args, { cwd: empty, stdio: 'inherit' });
    copyFileSync(join(empty, 'package-lock.json'), join(root, folder, 'package-lock.json'));
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}
execFileSync(process.execPath, [join(root, 'scripts/check-lock.ts')], { stdio: 'inherit' });
