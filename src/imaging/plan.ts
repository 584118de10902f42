// plan.ts — packs operations into passes.
//
// The result must equal running each operation alone on the result of the one before. Inside one instance sharp runs a
// fixed order, whatever the order of calls, so neighbours share a pass only where that gives the written result; else a
// new pass takes over raw pixels. Each rule has its number (P1-P9) and a test of that name.

import { operationOf } from './boxes.ts';
import type { Step } from './imaging.ts';
import type { Drawn } from './operations/operation.ts';

export type Pass = { steps: Step[] };
export type Target = { flattens: boolean; turned?: boolean; space?: string };

/**
 * The passes of a recipe; at least one, for a picture is always decoded and encoded. `flattens`: the result cannot be
 * transparent and the source may be, so white goes underneath.
 */
export function planPasses(ops: readonly Step[], { flattens, turned = false, space = 'srgb' }: Target): Pass[] {
  const passes: Pass[] = [{ steps: [] }];
  for (const step of ops) {
    const last = passes.at(-1)!;
    if (joins(last.steps, step)) last.steps.push(step);
    else passes.push({ steps: [step] });
  }
  // What looks at pixels before sharp has turned and converted them gets a pass of its own in front.
  if (passes[0]!.steps.some((step) => operationOf(step).needsPlain?.(step, { turned, space })))
    passes.unshift({ steps: [] });
  if (flattens) putWhiteUnder(passes);
  return passes;
}

function putWhiteUnder(passes: Pass[]): void {
  const white = { op: 'flatten', bg: 'ffffff' };
  const { steps } = passes.at(-1)!;
  // At the front it costs nothing and gives the same, unless something in the pass makes transparency anew (P5).
  if (steps.some(bringsAlpha)) passes.push({ steps: [white] });
  else if (!steps.some(({ op }) => op === 'flatten')) steps.unshift(white);
}

/** True when a pass makes colour, which a grey source cannot hold (P6). */
export function bringsColor(pass: Pass): boolean {
  return pass.steps.some(bringsColorStep);
}

/** True when a step may make an opaque picture transparent. */
export function bringsAlpha(step: Step): boolean {
  return operationOf(step).bringsAlpha?.(step) ?? false;
}

function joins(steps: readonly Step[], step: Step): boolean {
  const operation = operationOf(step);
  if (steps.length === 0) return true;
  const before = steps.map(operationOf);
  // P3: sharp would go on with the sides from before a slanted turn.
  if (steps.some((each) => operationOf(each).ends?.(each))) return false;
  // P1: a second operation of a class would replace the first.
  if (before.some((each) => groupOf(each) === groupOf(operation))) return false;
  // P2: sharp turns by 90s before it crops and pads to the box. P4: and it mirrors before it turns.
  const turns = operation.name === 'rotate';
  if ((turns || operation.mirrors) && before.some(({ crops }) => crops)) return false;
  if (operation.mirrors && before.some(({ name }) => name === 'rotate')) return false;
  if (operation.name === 'crop' && before.some(({ mirrors }) => mirrors)) return false;
  // P6: the colour would come out grey, or be greyed before it is there.
  if (bringsColorStep(step) && before.some((each) => each.name === 'grayscale')) return false;
  // P5: sharp weighs colours by their transparency only if it was there before the pass; else black bleeds in.
  if (operation.blends && steps.some(bringsAlpha)) return false;
  // P9: nobody knows how much a trim leaves.
  if (operation.needsBox?.(step) && steps.some(isOfUnknownSize)) return false;
  const ranks = before.map((each, index) => rankAfter(before.slice(0, index), each));
  const commutes = operation.commutesWithSize && !steps.some(bringsColorStep);
  // P1: sharp would run it before what stands before it.
  const rank = rankAfter(before, operation);
  return ranks.every((each, index) => each <= rank || (commutes && groupOf(before[index]!) === 'size'));
}

/** P2: after a size sharp crops and turns a second time, later. */
function rankAfter(before: readonly Drawn[], { rank, rankAfterSize }: Drawn): number {
  return rankAfterSize !== undefined && before.some((each) => groupOf(each) === 'size') ? rankAfterSize : rank;
}

function isOfUnknownSize(step: Step): boolean {
  return operationOf(step).box?.({ width: 100, height: 100 }, step) === null;
}

function bringsColorStep(step: Step): boolean {
  return operationOf(step).bringsColor?.(step) ?? false;
}

const groupOf = (operation: Drawn): string => operation.group ?? operation.name;
