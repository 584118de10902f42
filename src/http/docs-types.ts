// docs-types.ts — gives schemas a name: whatever has a title stands once in the document, and the client has its type.

/** The same document, with every titled schema below `components/schemas` and a reference in its places. */
export function nameTypes<D extends object>(document: D): D {
  const named: Record<string, unknown> = {};
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, inner]) => [key, isData.has(key) ? inner : walk(inner)] as const);
    const walked = Object.fromEntries(entries);
    const title = titleOf(walked);
    if (title === undefined) return walked;
    keep(named, title, walked);
    return { $ref: `#/components/schemas/${title}` };
  };
  // Still the same document: only schemas have moved.
  const walked = walk(document) as D & { components?: object };
  return { ...walked, components: { ...walked.components, schemas: sorted(named) } };
}

/** Examples hold data, in which a title is no name of a type. */
const isData = new Set(['example', 'examples', 'default', 'enum']);

function titleOf({ title, type, anyOf }: Record<string, unknown>): string | undefined {
  return typeof title === 'string' && (type !== undefined || anyOf !== undefined) ? title : undefined;
}

function keep(named: Record<string, unknown>, title: string, schema: unknown): void {
  const known = named[title];
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema))
    throw new Error(`Two schemas are called ${title}.`);
  named[title] = schema;
}

const sorted = (named: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1)));
