// pictures-sandbox.ts — a real sandbox for tests, and one call that renders a picture in it.

import { fileURLToPath } from 'node:url';
import { parsePipeline } from '../../src/imaging/grammar.ts';
import { openSandbox, type SandboxOptions } from '../../src/imaging/sandbox.ts';

export const grammarOptions = {
  maxOutputSide: 8192,
  effort: 'balanced' as const,
  presets: new Map([['small', 'fit:40x40/jpeg:80']]),
};

const quiet = { warn() {}, error() {}, debug() {} };

/** A sandbox with the limits of the product, one slot, and no log. */
export async function openStudio(options: Partial<SandboxOptions> = {}) {
  const sandbox = await openSandbox({
    slots: 1,
    maxPixels: 50e6,
    maxSide: 16_384,
    maxOutputSide: 8192,
    imageTimeMs: 15_000,
    imageMemory: 768 * 1024 * 1024,
    log: quiet,
    ...options,
  });
  let jobs = 0;

  /** Renders one picture; `pieces` cuts the source into chunks as a network would. */
  async function renderAll(source: Buffer, pipelines: Record<string, unknown>, signal?: AbortSignal) {
    const renditions = Object.entries(pipelines).map(([name, pipeline]) => ({
      name,
      recipe: parsePipeline(pipeline, grammarOptions),
    }));
    const half = Math.ceil(source.length / 2);
    const chunks = [source.subarray(0, half), source.subarray(half)];
    const job = { id: String(++jobs), chunks, bytes: source.length, renditions };
    return sandbox.render(job, signal ? { signal } : {});
  }

  async function render(source: Buffer, pipeline: unknown = [], signal?: AbortSignal) {
    const rendering = await renderAll(source, { default: pipeline }, signal);
    const [rendition] = rendering.renditions;
    return { ...rendition!, body: Buffer.concat(rendition!.body), rendering };
  }

  /** The code that a source or pipeline fails with; 'fine' if it does not. */
  async function codeOf(source: Buffer, pipeline: unknown = []): Promise<string> {
    return render(source, pipeline).then(
      () => 'fine',
      (error: Error & { code?: string }) => error.code ?? error.message,
    );
  }

  return { sandbox, render, renderAll, codeOf, [Symbol.asyncDispose]: () => sandbox.close() };
}

/** Path of a child that misbehaves, in test/support/children. */
export const misbehaving = (name: string): string =>
  fileURLToPath(new URL(`./pictures-children/${name}.ts`, import.meta.url));
