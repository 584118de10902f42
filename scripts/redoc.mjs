// redoc.mjs — brings the one file that /redoc needs, and nothing else of its package.
//
// As a dependency ReDoc would bring 110 packages for this one file, and nothing foreign is committed here: so its tarball
// is packed by npm, wherever npm gets packages from, and held against its checksum. The one address of another host in
// it, a logo, gives way to an empty picture. Without a network there is no /redoc, and it says so; all else works. Plain
// JavaScript like setup.mjs; alone, as the Dockerfile calls it, it fails where it cannot bring the file.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const version = '2.5.4';
const integrity = 'sha512-M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ==';
const bundle = 'package/bundles/redoc.standalone.js';
const logo = 'https://cdn.redoc.ly/redoc/logo-mini.svg';
const nothing = 'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E';

/** Where the server looks for it, below the root of the clone. */
export const redocFolder = '.cache/redoc';

/** Writes redoc.standalone.js into `folder`. `npm` runs npm with arguments in a folder. */
export async function bringRedoc(folder, npm) {
  const work = mkdtempSync(join(tmpdir(), 'darkroom-redoc-'));
  try {
    // Whoever has no network shall not wait for it at each start.
    await npm(
      [
        'pack',
        `redoc@${version}`,
        '--loglevel=error',
        '--prefer-offline',
        '--fetch-retries=0',
        '--fetch-timeout=20000',
      ],
      work,
    );
    const tarball = readFileSync(join(work, `redoc-${version}.tgz`));
    const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    if (found !== integrity) throw new Error(`redoc-${version}.tgz is not what was expected: ${found}`);
    const text = fileOfTar(gunzipSync(tarball), bundle).toString('utf8').replaceAll(logo, nothing);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'redoc.part'), text);
    renameSync(join(folder, 'redoc.part'), join(folder, 'redoc.standalone.js'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** One file of a tar archive: headers of 512 bytes, each followed by its file, filled up to the next 512. */
function fileOfTar(tar, wanted) {
  for (let at = 0; at + 512 <= tar.length;) {
    const text = (from, length) => tar.toString('latin1', at + from, at + from + length).replace(/\0[^]*/, '');
    const size = Number.parseInt(text(124, 12), 8) || 0;
    if (text(0, 100) === wanted) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`The package has no ${wanted}.`);
}

const here = fileURLToPath(import.meta.url);
if (process.argv[1] === here)
  await bringRedoc(join(dirname(dirname(here)), redocFolder), (args, cwd) => execFileSync('npm', args, { cwd }));
