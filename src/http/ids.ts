// ids.ts — ids in a path: case and dashes are free, answers carry the canonical form.

import { problem } from '../problem.ts';
import type { Ask } from './http.ts';

/** The canonical UUID of `text`, or undefined. */
export function canonicalId(text: string): string | undefined {
  const digits = text.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * A hook for routes with an id in their path: judges its form before the body is looked at. A surface that answers 404
 * to such ids tells so in its error shape (`loc` begins with "path").
 */
export function readsId(name: string) {
  return async (request: Ask): Promise<void> => {
    const params = request.params as Record<string, string>;
    const text = params[name] ?? '';
    const id = canonicalId(text);
    if (id === undefined) {
      const message = 'Input should be a valid UUID';
      const fault = { type: 'uuid_parsing', loc: ['path', name], message, input: text.slice(0, 100) };
      throw problem('invalid_request', {}, { faults: [fault] });
    }
    params[name] = id;
  };
}
