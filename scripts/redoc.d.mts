// redoc.d.mts — the types of redoc.mjs, for the tests.

export const redocFolder: string;
export function bringRedoc(folder: string, npm: (args: string[], cwd: string) => Promise<unknown>): Promise<void>;
