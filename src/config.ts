// config.ts — turns flags and environment into settings, and tells all mistakes at once.
//
// This is the only file that sees the environment, and it is handed in by main.ts. The settings themselves stand in
// settings/list.ts; docs/settings.md and .env.example are generated from there (`npm run docs`).

import { settings, type Setting } from './settings/list.ts';
import * as read from './settings/read.ts';

type Settings = typeof settings;
type Key = keyof Settings;
export type Config = { readonly [K in Key]: ReturnType<Settings[K]['read']> };
export type Origin = 'flag' | 'environment' | 'default';
export type ConfigRow = { key: Key; name: string; value: string; origin: Origin; initial: string; secret: boolean };

/** All faults of the settings at once; the message has one line for each. */
export class ConfigMistakes extends Error {
  override readonly name = 'ConfigMistakes';
  readonly mistakes: string[];
  constructor(mistakes: string[]) {
    super(mistakes.join('\n'));
    this.mistakes = mistakes;
  }
}

/**
 * Reads the settings: a flag wins over the environment, that over the default. `<NAME>_FILE` names a file with the value
 * of a secret. Throws {@link ConfigMistakes}. `rows` is for `darkroom config check`.
 */
export function readConfig(
  env: Record<string, string | undefined>,
  flags: Partial<Record<Key, string>> = {},
): { config: Config; rows: ConfigRow[] } {
  const mistakes = unknownNames(env);
  if (!env.QUEUE_URL && env.RABBITMQ_URL && env.REDIS_URL)
    mistakes.push('RABBITMQ_URL and REDIS_URL are both set: set QUEUE_URL to the one that should be used.');
  const rows: ConfigRow[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(settings) as [Key, Setting<unknown>][]) {
    const found = find(each, key, env, flags, mistakes);
    rows.push({
      key,
      name: each.name,
      value: found.text,
      origin: found.origin,
      initial: each.initial,
      secret: each.secret ?? false,
    });
    try {
      values[key] = found.text === '' ? each.unset : each.read(found.text);
      if (found.text === '' && !('unset' in each)) throw new Error('must not be empty');
    } catch (error) {
      mistakes.push(
        `${found.name} ${(error as Error).message}${each.secret ? '' : `, not ${JSON.stringify(found.text)}`}.`,
      );
    }
  }
  if (mistakes.length > 0) throw new ConfigMistakes(mistakes);
  // Each value came out of the reader that stands beside its key, so the shapes agree.
  return { config: values as Config, rows };
}

function find(
  each: Setting<unknown>,
  key: Key,
  env: Record<string, string | undefined>,
  flags: Partial<Record<Key, string>>,
  mistakes: string[],
) {
  const flag = flags[key];
  if (flag !== undefined) return { name: `--${each.name.toLowerCase()}`, text: flag, origin: 'flag' as const };
  for (const name of [each.name, ...(each.aliases ?? [])]) {
    if (env[name]) return { name, text: env[name].trim(), origin: 'environment' as const };
    const file = each.secret ? env[`${name}_FILE`] : undefined;
    if (!file) continue;
    try {
      return { name: `${name}_FILE`, text: read.secretFile(file), origin: 'environment' as const };
    } catch {
      mistakes.push(`${name}_FILE names ${file}, which cannot be read.`);
    }
  }
  return { name: each.name, text: each.initial, origin: 'default' as const };
}

/** A misspelt setting must not be silently without effect. Names for tests are free. */
function unknownNames(env: Record<string, string | undefined>): string[] {
  const known = Object.values(settings).flatMap((each) => [each.name, `${each.name}_FILE`]);
  return Object.keys(env)
    .filter((name) => name.startsWith('DARKROOM_') && !name.startsWith('DARKROOM_TEST') && !known.includes(name))
    .map((name) => {
      const near = read.nearest(name, known);
      return `${name} is not a setting.${near ? ` Did you mean ${near}?` : ''}`;
    });
}
