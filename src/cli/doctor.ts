// doctor.ts — `darkroom doctor`: why it does not run here: this machine, the settings, and what they point to.
//
// It tries each part as work would and ends with 1 when one fails. What is merely worth knowing is told and fails nothing.

import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pino } from 'pino';
import { ConfigMistakes, type Config } from '../config.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { openSandbox } from '../imaging/sandbox.ts';
import { version } from '../version.ts';
import { tellChecks, tryServers, type Check } from './config-check.ts';
import { askedBy } from './missing.ts';
import { listenerOf } from './port.ts';
import type { Session } from './session.ts';
import { readSettings } from './settings.ts';

const megabyte = 1024 ** 2;
const leastMemory = 512 * megabyte;
const leastFiles = 1024;
const answerMs = 3_000;
/** One pixel. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

export async function examine(session: Session): Promise<number> {
  const machine = [runtime(), memory(), openFiles(), page(), packages()];
  let config: Config;
  try {
    ({ config } = readSettings(session));
  } catch (error) {
    if (!(error instanceof ConfigMistakes)) throw error;
    const settings = error.mistakes.map((detail) => ({ name: 'settings', ok: false, detail }));
    return tellChecks(session, [...machine, ...settings]);
  }
  const settings = { name: 'settings', ok: true, detail: 'well-formed; `darkroom config check` shows them' };
  const tried = [
    await pictures(config),
    await port(config),
    ...(await tryServers(config)),
    ...(await publicUrl(config)),
  ];
  return tellChecks(session, [...machine, settings, ...tried]);
}

function runtime(): Check {
  const { versions, platform, arch, getuid } = process;
  const root = getuid?.() === 0 ? ', as root: better as a user of its own' : '';
  const detail = `Darkroom ${version}, Node ${versions.node}, ${platform} ${arch}, ${availableParallelism()} cores${root}`;
  return { name: 'program', ok: Number(versions.node.split('.')[0]) >= 24, detail };
}

function memory(): Check {
  const bytes = process.availableMemory();
  const detail = `${Math.round(bytes / megabyte)} MB available`;
  const ok = bytes >= leastMemory;
  return {
    name: 'memory',
    ok,
    detail: ok ? detail : `${detail}, and pictures need ${leastMemory / megabyte} MB at least`,
  };
}

/** Linux tells it; elsewhere it is taken for enough. */
function openFiles(): Check {
  const name = 'open files';
  try {
    const [, most] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    const ok = most === undefined || most === 'unlimited' || Number(most) >= leastFiles;
    return {
      name,
      ok,
      detail: ok ? `${most ?? '?'} at most` : `${most} at most: raise it by \`ulimit -n ${leastFiles}\``,
    };
  } catch {
    return { name, ok: true, detail: 'the limit is not told on this system' };
  }
}

function page(): Check {
  const isBuilt = existsSync(new URL('../../web/dist/index.html', import.meta.url));
  const detail = isBuilt ? 'built' : 'not built, the API works without it; `npm start` builds it';
  return { name: 'page', ok: true, detail };
}

function packages(): Check {
  const missing = Object.keys(askedBy).filter((name) => {
    try {
      import.meta.resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  const detail =
    missing.length === 0 ? 'for brokers and buckets are there' : `not there, and optional: ${missing.join(', ')}`;
  return { name: 'packages', ok: true, detail };
}

/** A picture is decoded and written where all pictures are: in a process of its own. */
async function pictures(config: Config): Promise<Check> {
  const name = 'pictures';
  const sandbox = await openSandbox({ ...config, slots: 1, log: pino({ level: 'silent' }) });
  try {
    const renditions = [{ name: 'default', recipe: parsePipeline('webp', config) }];
    const begun = performance.now();
    await sandbox.render({ id: 'doctor', chunks: [picture], bytes: picture.length, renditions });
    return { name, ok: true, detail: `one was decoded and written in ${(performance.now() - begun).toFixed(0)} ms` };
  } catch (error) {
    const detail = sandbox.healthy().detail ?? (error as Error).message;
    return { name, ok: false, detail };
  } finally {
    await sandbox.close();
  }
}

/** A port that one of us listens on is no fault: a doctor may be called while the service runs. */
async function port({ port: number }: Config): Promise<Check> {
  const name = 'port';
  if (number === 0) return { name, ok: true, detail: 'a free one is taken' };
  const pid = await listenerOf(number);
  const ours = await answers(`http://127.0.0.1:${number}`);
  if (ours) return { name, ok: true, detail: `${number}: a Darkroom answers there` };
  if (pid === undefined) return { name, ok: true, detail: `${number} is free` };
  return { name, ok: false, detail: `${number} is in use by process ${pid}: stop it, or set PORT` };
}

async function publicUrl({ publicUrl: url }: Config): Promise<Check[]> {
  if (url === '') return [];
  const found = await answers(url);
  const detail = found
    ? `${url} leads to a Darkroom`
    : `${url} leads to no Darkroom now; links and results begin with it`;
  return [{ name: 'PUBLIC_URL', ok: true, detail }];
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(answerMs) });
    return 'checks' in ((await answer.json()) as object);
  } catch {
    return false;
  }
}
