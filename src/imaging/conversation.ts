// conversation.ts — one image's talk with one child, from the job to `done`.
//
// Believes nothing: the child has decoded bytes from outside and may be no longer ours. Every frame must be the one that
// is due, with values that an honest child could have sent, or the child is killed as crashed.

import { type Problem, problem } from '../problem.ts';
import { impossibleStep, maxOutputPixels, outputBox, outputSlack, tooLarge, uprightBox } from './boxes.ts';
import type { Budget } from './budget.ts';
import { planCascade } from './cascade.ts';
import { type Child, ChildEnded } from './child-process.ts';
import { startClock } from './clock.ts';
import type { Format, Output, Rendered, Rendering, SandboxJob } from './imaging.ts';
import { formats, resultFormat } from './kinds.ts';
import { type SourceLimits, sourceTooLarge } from './limits.ts';
import { type Header, readFailure, readHeader, readRendition, readStage, transformFailed, Untrue } from './claims.ts';

export type TalkLimits = SourceLimits & { maxOutputSide: number; imageTimeMs: number; imageMemory: number };
type Talk = { child: Child; job: SandboxJob; format: Format; limits: TalkLimits; budget: Budget };

const totalMs = 120_000;
const msPerMegapixel = 500;
const memoryEveryMs = 20;
const lightestWear = 0.1;

/** Renders one image in this child. Throws the Problem of the picture, or {@link ChildEnded}. */
export async function talk(talking: Talk, signal?: AbortSignal): Promise<Rendering> {
  const { child, limits } = talking;
  const abort = () => child.kill('aborted');
  const memory = setInterval(() => {
    if (child.memory() > limits.imageMemory) child.kill('memory', `above ${limits.imageMemory} bytes`);
  }, memoryEveryMs);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await converse(talking, signal);
  } catch (error) {
    if (error instanceof Untrue) child.kill('crashed', error.message);
    else if (!(error instanceof ChildEnded) && !signal?.aborted) throw error;
    else child.kill('aborted');
    // Only when it is gone does its slot start another; a second try must not meet the dying one.
    await child.exited;
    throw error instanceof Untrue ? new ChildEnded('crashed', error.message) : error;
  } finally {
    clearInterval(memory);
    signal?.removeEventListener('abort', abort);
  }
}

async function converse({ child, job, format, limits, budget }: Talk, signal?: AbortSignal): Promise<Rendering> {
  const stageMs = limits.imageTimeMs;
  const clock = startClock({ stageMs, totalMs: Math.max(totalMs, stageMs) }, (what) =>
    child.kill('timeout', `${what} took too long`),
  );
  let giveBack: (() => void) | undefined;
  // Until its header is known, a picture counts whole.
  let wear = 1;
  try {
    const { id, renditions } = job;
    const { maxPixels, maxOutputSide } = limits;
    child.served++;
    child.send({ type: 'job', id, format, renditions, limits: { maxPixels, maxOutputSide } }, job.chunks);
    const first = await child.next();
    if (first.header.type === 'failed') throw readFailure(first, id, { format, maxOutputSide });
    const header = readHeader(first, id, format);
    const refused =
      sourceTooLarge(header, limits) ?? impossible(job, header) ?? resultTooLarge(job, header, maxOutputSide);
    if (refused) {
      child.send({ type: 'skip', id });
      throw refused;
    }
    const ms = { decode: clock.lap(), transform: 0, encode: 0 };
    clock.pause();
    // A small picture that is asked to become a large one has as much to do.
    const largest = largestMegapixels(job, header);
    wear = wearOf(largest);
    clock.setStageMs(stageMs + msPerMegapixel * largest);
    giveBack = await budget.take(megapixels(job, header), signal);
    clock.lap();
    child.send({ type: 'go', id });
    const rendered = await collect(child, job, { header, maxOutputSide }, (doing) => (ms[doing] += clock.lap()));
    const { width, height, frames } = header;
    const warnings = [...new Set(rendered.flatMap((each) => each.warnings))];
    const mediaType = formats[format].mediaType;
    return { source: { format, mediaType, width, height, frames }, renditions: rendered, ms: rounded(ms), warnings };
  } finally {
    child.wear += wear;
    clock.stop();
    giveBack?.();
  }
}

/**
 * What an image of `size` megapixels takes of a child's life, 0.1 to 1: libraries leak with what they work on, and what
 * stays of a picture is the less the smaller it was. To start a child costs as much as a hundred icons.
 */
const wearOf = (size: number): number => Math.min(1, lightestWear + size);

type Doing = 'decode' | 'transform' | 'encode';

type Known = { header: Header; maxOutputSide: number };

async function collect(child: Child, job: SandboxJob, { header, maxOutputSide }: Known, lap: (doing: Doing) => void) {
  const limits = { format: header.format, maxOutputSide };
  const rendered: Rendered[] = [];
  let doing: Doing = 'decode';
  // Each operation is at most one pass, and a picture is opened, scaled, proved and encoded besides.
  let stagesLeft = job.renditions.reduce((sum, { recipe }) => sum + recipe.ops.length + 5 + triesOf(recipe.out), 1);
  const order = planCascade(job.renditions, uprightBox(header)).map(({ index }) => index);
  for (;;) {
    const frame = await child.next();
    lap(doing);
    const { type } = frame.header;
    const due = job.renditions[order[rendered.length] ?? -1];
    if (type === 'failed') throw readFailure(frame, job.id, limits);
    else if (type === 'stage') {
      if (stagesLeft-- === 0) throw new Untrue('too many stages');
      doing = readStage(frame, job.id);
    } else if (type === 'rendition' && due) {
      const { ops, out } = due.recipe;
      const upright = uprightBox(header);
      // What must stay below so many bytes may come out smaller than it was drawn.
      const box = out.maxBytes === undefined ? outputBox(ops, upright) : null;
      const expected = { box, slack: outputSlack(ops, upright) };
      const format = resultFormat(out.format, header);
      rendered.push(readRendition(frame, { id: job.id, name: due.name, format, ...expected }));
    } else if (type === 'done' && !due && frame.header.id === job.id) return inAskedOrder(rendered, order);
    else throw new Untrue(`said ${String(type)} when it was not due`);
  }
}

/** A search encodes more than once. */
const triesOf = ({ target, maxBytes }: Output): number => (maxBytes !== undefined ? 40 : target !== undefined ? 5 : 0);

function inAskedOrder(rendered: Rendered[], order: number[]): Rendered[] {
  return order.map((_, index) => rendered[order.indexOf(index)]!);
}

function impossible(job: SandboxJob, header: Header): Problem | undefined {
  for (const { recipe } of job.renditions) {
    const found = impossibleStep(recipe.ops, uprightBox(header));
    if (found) return transformFailed(found);
  }
  return undefined;
}

function resultTooLarge(job: SandboxJob, header: Header, maxOutputSide: number): Problem | undefined {
  for (const { recipe } of job.renditions) {
    const format = resultFormat(recipe.out.format, header);
    const found = tooLarge({ ops: recipe.ops, out: { format } }, uprightBox(header), maxOutputSide);
    if (found) return problem('output_too_large', found);
  }
  return undefined;
}

/** What an image takes of the budget; AVIF needs three times the memory of others. */
function megapixels(job: SandboxJob, header: Header): number {
  const avif = job.renditions.some(({ recipe }) => resultFormat(recipe.out.format, header) === 'avif');
  return largestMegapixels(job, header) * (avif || header.format === 'avif' ? 3 : 1);
}

/** Of the source and all results. */
function largestMegapixels(job: SandboxJob, header: Header): number {
  const results = job.renditions.map(({ recipe }) => {
    const box = outputBox(recipe.ops, uprightBox(header));
    return box ? box.width * box.height : 0;
  });
  return Math.min(Math.max(header.width * header.height, ...results), maxOutputPixels('jpeg')) / 1e6;
}

function rounded(ms: { decode: number; transform: number; encode: number }) {
  return { decode: Math.round(ms.decode), transform: Math.round(ms.transform), encode: Math.round(ms.encode) };
}
