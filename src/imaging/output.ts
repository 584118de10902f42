// output.ts — folds the output operations of a pipeline into its one `out` record, and unfolds it again.
//
// They may stand anywhere and the last wins, so `webp/quality:80`, `quality:80/webp` and `webp:80` are one recipe. Options
// of a format that is not chosen in the end vanish. A format nobody names stays `keep`: then the source decides, and with
// it the default quality.

import type { Output } from './imaging.ts';
import { encoderEfforts, type EffortName } from './efforts.ts';
import type { Operation, Wish } from './operations/operation.ts';

export type OutputCall = { operation: Operation; values: Record<string, unknown>; given: ReadonlySet<string> };

/** One `out` record from the output operations in written order; `effort` is the setting. */
export function foldOutput(calls: OutputCall[], effort: EffortName, encoders: ReadonlyMap<string, Operation>): Output {
  const wishes = calls.map(({ operation, values, given }) => ({
    wish: operation.kind === 'output' ? operation.wish(values, given) : ({} satisfies Wish as Wish),
    encoder: operation.kind === 'output' && operation.encoder === true,
    values,
    given,
  }));
  const format = wishes.findLast(({ wish }) => wish.format)?.wish.format ?? 'keep';
  // A quality given with another encoder belongs to that encoder and vanishes with it.
  const counts = wishes.filter(({ wish, encoder }) => !encoder || wish.format === format);
  // A quality and a look are two answers to one question: the last counts.
  const wanted = counts.findLast(({ wish }) => wish.quality !== undefined || wish.target !== undefined)?.wish;
  const { quality, target } = wanted ?? {};
  const maxBytes = wishes.findLast(({ wish }) => wish.maxBytes !== undefined)?.wish.maxBytes;
  const profile = (wishes.findLast(({ wish }) => wish.profile)?.wish.profile ?? effort) as EffortName;
  const options: Record<string, unknown> = {};
  for (const { encoder, values, given } of counts)
    if (encoder) for (const key of given) if (key !== 'q') options[key] = values[key];
  return outputOf(format, { quality, target, maxBytes, profile, options }, encoders.get(format));
}

type Wanted = {
  quality: number | undefined;
  target: number | undefined;
  maxBytes: number | undefined;
  profile: EffortName;
  options: Record<string, unknown>;
};

function outputOf(
  format: string,
  { quality, target, maxBytes, profile, options }: Wanted,
  encoder: Operation | undefined,
): Output {
  const efforts = encoderEfforts.get(format);
  const out: Record<string, unknown> = { format, effort: profile };
  for (const [key, argument] of Object.entries(encoder?.args ?? {})) {
    const value = options[key] ?? argument.fallback;
    if (key !== 'q' && value !== undefined) out[key] = value;
  }
  if (efforts) out.effort = options.effort ?? efforts[profile];
  // A lossless picture has no quality. One that was asked for all the same is kept, to be warned about.
  const fallback = out.lossless || target !== undefined ? undefined : encoder?.args.q?.fallback;
  if (quality !== undefined || fallback !== undefined) out.quality = quality ?? fallback;
  if (target !== undefined) out.target = target;
  if (maxBytes !== undefined) out.maxBytes = maxBytes;
  // `format` came through the list of formats that `format` and the encoders name.
  return out as Output;
}

/** The calls that give `out` back when folded with the profile `balanced`, in the order of the list of operations. */
export function unfoldOutput(out: Output, plain: boolean): ({ op: string } & Record<string, unknown>)[] {
  const calls: ({ op: string } & Record<string, unknown>)[] = [];
  const { format, quality, effort, target, maxBytes, ...options } = out;
  if (format === 'keep') {
    if (quality !== undefined) calls.push({ op: plain ? 'compress' : 'quality', q: quality });
  } else {
    const own = encoderEfforts.has(format) ? { effort } : {};
    calls.push({ op: format, ...(quality === undefined ? {} : { q: quality }), ...options, ...own });
  }
  if (target !== undefined) calls.push({ op: 'target', score: target });
  if (maxBytes !== undefined) calls.push({ op: 'max-bytes', bytes: maxBytes });
  if (!encoderEfforts.has(format) && effort !== 'balanced') calls.push({ op: 'effort', profile: effort });
  return calls;
}
