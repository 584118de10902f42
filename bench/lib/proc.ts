// proc.ts — what a tree of processes has used: CPU from /proc/<pid>/stat, memory from smaps_rollup.
//
// The living count with their own time, the reaped with what their parent inherited of them: a sandbox child that was
// recycled in mid-run must not vanish. PostgreSQL's backends call setsid but stay children of the postmaster, so the
// tree finds them. The clock tick is 10 ms: a lap worth dividing has at least two CPU-seconds.

import { readdirSync, readFileSync } from 'node:fs';

const millisecondsPerTick = 10; // USER_HZ is 100 on every Linux that Node runs on.

type Entry = { pid: number; parent: number; ownMs: number; reapedMs: number };
/** `rootMs` is the process itself, `restMs` everything below it, dead or alive. */
export type TreeCpu = { rootMs: number; restMs: number; allMs: number };

/** CPU used so far by `root` and everything it started; zeros when it is gone. */
export function cpuOfTree(root: number): TreeCpu {
  const tree = treeOf(root);
  const rootMs = tree[0]?.ownMs ?? 0;
  const allMs = tree.reduce((sum, each) => sum + each.ownMs + each.reapedMs, 0);
  return { rootMs, restMs: allMs - rootMs, allMs };
}

/** The pids of `root` and everything it started and that still lives. */
export function pidsOfTree(root: number): number[] {
  return treeOf(root).map((each) => each.pid);
}

function treeOf(root: number): Entry[] {
  const entries = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((entry) => entry !== undefined);
  const children = Map.groupBy(entries, (entry) => entry.parent);
  const tree = entries.filter((entry) => entry.pid === root);
  for (const entry of tree) tree.push(...(children.get(entry.pid) ?? []));
  return tree;
}

function readStat(pid: number): Entry | undefined {
  const text = readOrNothing(`/proc/${pid}/stat`);
  if (!text) return undefined;
  // The command stands in parentheses and may itself hold blanks and parentheses: count from the last one.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = [1, 11, 12, 13, 14].map(
    (i) => fields[i],
  );
  return {
    pid,
    parent,
    ownMs: (user + system) * millisecondsPerTick,
    reapedMs: (reapedUser + reapedSystem) * millisecondsPerTick,
  };
}

/** Σ PSS in MB. Σ RSS would count Node's text pages once for each child. */
export function pssOfTrees(roots: number[]): number {
  const kilobytes = roots
    .flatMap(pidsOfTree)
    .map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`) ?? '')?.[1] ?? 0));
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

/** Looks at Σ PSS every 100 ms; `stop` gives the highest seen, in MB. */
export function watchMemory(roots: number[]): { stop(): number } {
  let peak = pssOfTrees(roots);
  const look = () => (peak = Math.max(peak, pssOfTrees(roots)));
  const timer = setInterval(look, 100).unref();
  return {
    stop() {
      clearInterval(timer);
      return look();
    },
  };
}

/** Processes end while we walk: what cannot be read any more has nothing to tell. */
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
