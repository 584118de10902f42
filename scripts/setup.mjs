// setup.mjs — makes a clone ready to run, and does nothing where that is already so.
//
// Runs before `npm start` and `npm test`, so it must work on a bare clone under the Node of the system: plain JavaScript
// for Node 20 and newer, nothing but node: imports. Each step leaves a stamp of what it was made from and is skipped
// while the stamp still fits. What runs the product afterwards is Node 24 out of node_modules.

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringRedoc, redocFolder } from './redoc.mjs';
import { installMissingServers } from './servers.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => join(root, ...parts);
const wanted = new Set(process.argv.slice(2));
const neededNode = 24;

const release = await enterAlone();
try {
  await step('Installing dependencies', at('node_modules/.setup'), [at('package-lock.json')], () => npm(['ci'], root));
  requireNode();
  if (wanted.has('--web') && existsSync(at('web'))) {
    await step('Building the page', at('web/dist/.setup'), [at('package-lock.json'), at('web'), at('client')], () =>
      run(at('node_modules/.bin/node'), [at('node_modules/vite/bin/vite.js'), 'build', 'web']),
    );
    await step('Bringing ReDoc', at(redocFolder, '.setup'), [at('scripts/redoc.mjs')], () =>
      bringRedoc(at(redocFolder), npm),
    ).catch((error) => {
      const [why] = error.message.trim().split('\n', 1);
      console.log(`✗ ReDoc did not come (${why}): /redoc will say so, and all else works.`);
    });
  }
  if (wanted.has('--tests')) {
    const services = at('test/services');
    await step(
      'Installing test services',
      join(services, 'node_modules/.setup'),
      [join(services, 'package-lock.json')],
      () => npm(['ci', '--prefix', services], services),
    );
    await installMissingServers(root, run);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  release();
}

/** Does `act` unless `stamp` says that it was done for exactly these files on this platform. */
async function step(title, stamp, sources, act) {
  const hash = createHash('sha256').update(process.platform + process.arch);
  for (const source of sources) addTo(hash, source);
  const digest = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  const started = performance.now();
  console.log(`• ${title} ...`);
  await act();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
  console.log(`✓ ${title} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function addTo(hash, path) {
  if (!existsSync(path)) return;
  if (statSync(path).isFile()) {
    hash.update(path.slice(root.length)).update(readFileSync(path));
    return;
  }
  for (const name of readdirSync(path).toSorted())
    if (name !== 'dist' && name !== 'node_modules') addTo(hash, join(path, name));
}

/** npm, started by the Node it came with: ours may lie in the very folder that `npm ci` is about to delete. */
async function npm(args, cwd) {
  const cli = process.env.npm_execpath ?? '';
  // NODE_ENV=production would leave out the tools; under Node 20 npm prints a page of engine warnings.
  const all = [...args, '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'];
  const node = process.env.npm_node_execpath ?? process.execPath;
  try {
    if (/npm-cli\.c?js$/.test(cli)) await run(node, [cli, ...all], cwd);
    else await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', all, cwd);
  } catch (error) {
    const advice = '✗ npm could not install the packages: see above, check the network, and repeat.';
    throw new Error(`${error.message}\n${advice}`, { cause: error });
  }
}

/** Runs a program in silence; what it said becomes the message if it fails. */
function run(program, args, cwd = root, env = process.env) {
  return new Promise((resolve, reject) => {
    const said = [];
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${Buffer.concat(said).toString()}\n✗ ${program} ended with code ${code}.`)),
    );
  });
}

function requireNode() {
  const bundled = at('node_modules/.bin/node');
  const version = existsSync(bundled) ? execFileSync(bundled, ['--version'], { encoding: 'utf8' }) : process.version;
  if (Number(/\d+/.exec(version)?.[0]) >= neededNode) return;
  // The next run must try the installation again.
  rmSync(at('node_modules/.setup'), { force: true });
  throw new Error(`✗ Darkroom needs Node ${neededNode} and npm could not bring it here: install it, then repeat.`);
}

/** One setup at a time in this clone: of two that make the folder at once, one fails. */
async function enterAlone() {
  const lock = at('.cache/setup');
  mkdirSync(dirname(lock), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isStale(lock)) {
      rmSync(lock, { recursive: true, force: true });
      continue;
    }
    if (!told) console.log('• Another setup is running here; waiting for it ...');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function isStale(lock) {
  try {
    // No installation takes half an hour; without this a process that inherited the number would block us for ever.
    if (Date.now() - statSync(lock).mtimeMs > 1_800_000) return true;
    process.kill(Number(readFileSync(join(lock, 'pid'), 'utf8')), 0);
    return false;
  } catch (error) {
    // ENOENT: its maker is between two calls, or has just finished. EPERM: it lives and is another user's.
    return error.code === 'ESRCH';
  }
}
