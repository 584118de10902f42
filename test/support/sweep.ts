// sweep.ts — every hostile file there is through the sandbox, and what must be true of all of them.
//
// Used by `npm run sweep` as a whole and by the suite in a short form. Nothing here knows how a file will end: it says
// whether the end is one that a service can live with.

import { existsSync, globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isCode } from '../../src/problem.ts';
import { hostileFiles } from './pictures-hostile-set.ts';
import { openStudio } from './pictures-sandbox.ts';
import { mustAccept, mustRefuse, reasonToRefuse } from './sweep-promises.ts';

export type Swept = { set: string; file: string; code: string; message: string; ms: number };
export type SetRow = { set: string; files: number; fine: number; codes: string; slowestMs: number };
export type Sweep = {
  files: Swept[];
  rows: SetRow[];
  faults: string[];
  /** Valid files that are not read, and why. */
  listed: { file: string; reason: string }[];
  peakMb: number;
};

const folder = fileURLToPath(new URL('../../../shared/corpora/images/', import.meta.url));
/** What one image may take: its stages, one attempt more after a crash, and a machine that has other work. */
const wallMs = 120_000;
const memoryMb = 768;

export const hasImages = existsSync(folder);

/** Sweeps every `every`-th file of each set of the corpora, and all files that the tests make. */
export async function sweep({ every, slots = 2 }: { every: number; slots?: number }): Promise<Sweep> {
  await using studio = await openStudio({ slots });
  const memory = watchMemory(() => studio.sandbox.children().map(({ pid }) => pid));
  const waiting = [...corpusFiles(every), ...(await madeFiles())].values();
  const files: Swept[] = [];
  const expected = new Map<string, string>();
  const work = async () => {
    for (const { set, file, code, read } of waiting) {
      if (code) expected.set(file, code);
      const bytes = read();
      const begun = performance.now();
      const end = await studio.render(bytes, 'fit:200x200/jpeg').then(
        () => ({ code: 'fine', message: '' }),
        (error: Error & { code?: string }) => ({ code: error.code ?? 'no code', message: error.message }),
      );
      files.push({ set, file, ...end, ms: performance.now() - begun });
    }
  };
  await Promise.all(Array.from({ length: slots }, work));
  const peakMb = memory.stop() / 2 ** 20;
  const faults = [...files.flatMap((each) => faultsOf(each, expected.get(each.file))), ...shareFaults(files)];
  if (peakMb > memoryMb * 1.5) faults.push(`a child took ${Math.round(peakMb)} MB before it was stopped`);
  const listed = files.flatMap(({ file, code }) => {
    const reason = reasonToRefuse(file, code);
    return reason ? [{ file, reason }] : [];
  });
  return { files, rows: rowsOf(files), faults, listed, peakMb };
}

type Waiting = { set: string; file: string; code?: string; read: () => Buffer };

function corpusFiles(every: number): Waiting[] {
  if (!hasImages) return [];
  return readdirSync(folder).flatMap((set) =>
    globSync(`${folder}${set}/**/*`)
      .filter((path) => statSync(path).isFile())
      .toSorted()
      .filter((_, index) => index % every === 0)
      .map((path) => ({ set, file: path.slice(folder.length), read: () => readFileSync(path) })),
  );
}

async function madeFiles(): Promise<Waiting[]> {
  const made = await hostileFiles();
  return made.map(({ what, code, make }) => ({ set: 'made by the tests', file: what, code, read: make }));
}

function faultsOf({ file, code, message, ms }: Swept, expected: string | undefined): string[] {
  const fault = (text: string) => [`${file}: ${text}`];
  if (code !== 'fine' && (!isCode(code) || code === 'internal')) return fault(`ended with ${code}: ${message}`);
  if (/unknown error/i.test(message)) return fault(`says "${message}"`);
  if (ms > wallMs) return fault(`took ${Math.round(ms / 1000)} s`);
  if (expected && !expected.split(' ').includes(code)) return fault(`ended with ${code} instead of ${expected}`);
  if (mustRefuse(file) && code === 'fine') return fault('was accepted');
  if (mustAccept(file) && code !== 'fine' && !reasonToRefuse(file, code))
    return fault(`is valid and ended with ${code}`);
  return code === 'decoder_crashed' ? fault('crashed the decoder twice') : [];
}

/** A guard that refuses everything would have no other fault. */
function shareFaults(files: Swept[]): string[] {
  const fine = files.filter(({ code }) => code === 'fine').length;
  return fine * 6 < files.length ? [`only ${fine} of ${files.length} files were accepted`] : [];
}

function rowsOf(files: Swept[]): SetRow[] {
  const sets = Map.groupBy(files, ({ set }) => set);
  return [...sets]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([set, all]) => {
      const codes = [...Map.groupBy(all, ({ code }) => code)].filter(([code]) => code !== 'fine');
      return {
        set,
        files: all.length,
        fine: all.filter(({ code }) => code === 'fine').length,
        codes: codes
          .toSorted((a, b) => b[1].length - a[1].length)
          .map(([code, each]) => `${code} ${each.length}`)
          .join(', '),
        slowestMs: Math.round(Math.max(...all.map(({ ms }) => ms))),
      };
    });
}

/** The largest resident memory of any child, looked at as often as the sandbox itself looks. */
function watchMemory(pids: () => number[]) {
  let peak = 0;
  const timer = setInterval(() => {
    for (const pid of pids()) peak = Math.max(peak, residentBytes(pid));
  }, 20);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

function residentBytes(pid: number): number {
  try {
    const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
