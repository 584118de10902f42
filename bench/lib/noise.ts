// noise.ts — how much of the machine was used by what does not belong to the run.
//
// Everything that belongs to it is a descendant of the harness. Wall-clock figures are worth a verdict only while the
// rest of the machine is quiet; CPU per image moves by 5 % where wall time moves fourfold, so it always counts.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { cpuOfTree } from './proc.ts';

/** Above this share of the machine wall figures get no verdict. */
export const noiseLimit = 0.05;

type Machine = { busyMs: number; stolenMs: number };

/** Begins to listen; the returned function tells the share of cores × wall that strangers took since then, 0..1. */
export function listenForNoise(): () => number {
  const begin = performance.now();
  const machine = readMachine(readFileSync('/proc/stat', 'utf8'));
  const own = cpuOfTree(process.pid).allMs;
  return () => {
    const now = readMachine(readFileSync('/proc/stat', 'utf8'));
    const strangersMs = now.busyMs - machine.busyMs - (cpuOfTree(process.pid).allMs - own);
    const capacityMs = availableParallelism() * (performance.now() - begin);
    return share(strangersMs + now.stolenMs - machine.stolenMs, capacityMs);
  };
}

/** The line of all cores: user nice system idle iowait irq softirq steal, in ticks of 10 ms. */
export function readMachine(stat: string): Machine {
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0, steal = 0] =
    /^cpu\s+(.*)$/m.exec(stat)?.[1]?.split(/\s+/).map(Number) ?? [];
  return { busyMs: (user + nice + system + irq + soft) * 10, stolenMs: steal * 10 };
}

/** Ticks are sampled for the machine but counted for a process, so a quiet machine may come out below zero. */
function share(ms: number, capacityMs: number): number {
  return capacityMs > 0 ? Math.max(0, ms) / capacityMs : 0;
}
