// chaos.test.ts — everything breaks at once for a quarter of a minute in each profile, and nothing is lost; and who judges
// that sees each wrong that is planted. `npm run chaos -- --seeds 20 --profiles all` is the long form.

import { describe, expect, test } from 'vitest';
import { judge } from '../chaos/check.ts';
import { wrongs } from '../chaos/findings.ts';
import { runOnce, type RunOptions } from '../chaos/once.ts';
import type { Profile } from '../chaos/servers.ts';
import { plants } from './support/chaos-plants.ts';
import { databaseEngines } from './support/databases.ts';
import { rabbitmqProgram } from './support/rabbitmq.ts';
import { redisProgram } from './support/redis.ts';

/** A busy machine starts a dozen processes slowly, and how long that takes says nothing about what they do. */
const timeout = 900_000;
const hasPostgres = databaseEngines.includes('postgres');
const isHere: Record<Profile, boolean> = {
  embedded: true,
  postgres: hasPostgres,
  redis: hasPostgres && redisProgram !== undefined,
  rabbitmq: hasPostgres && rabbitmqProgram !== undefined,
};

/** What a short run of the profile has found, and then also what happened in it. */
async function findingsOf(profile: Profile, inspect?: RunOptions['inspect']): Promise<string[]> {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const { result, isClean, findings } = await runOnce({
    profile,
    seed: 1,
    minutes: 0.25,
    images: 250,
    say,
    ...(inspect && { inspect }),
  });
  console.log(JSON.stringify(result));
  if (result.images === 0) return ['nothing was acknowledged', ...lines];
  return isClean ? [] : [...findings.details, ...lines];
}

describe('everything breaks, and nothing is lost, doubled or torn', { timeout }, () => {
  test.skipIf(!isHere.postgres)('with PostgreSQL, two that serve and four that work', async () => {
    expect(await findingsOf('postgres')).toEqual([]);
  });
  test.skipIf(!isHere.redis)('with Redis between them', async () => {
    expect(await findingsOf('redis')).toEqual([]);
  });
  test.skipIf(!isHere.rabbitmq)('with RabbitMQ between them', async () => {
    expect(await findingsOf('rabbitmq')).toEqual([]);
  });
  test('with one process and its embedded database; and a judge would have seen it', async () => {
    const missed: string[] = [];
    const found = await findingsOf('embedded', async (snapshot, witnesses) => {
      for (const { what, wrong, plant } of plants) {
        const { counts } = await judge(...plant(snapshot, witnesses));
        const seen = wrongs.filter((each) => counts[each] > 0);
        if (!seen.includes(wrong)) missed.push(`${what} is not ${wrong}, but ${seen.join(', ') || 'nothing'}`);
      }
    });
    expect(found).toEqual([]);
    expect(missed).toEqual([]);
  });
});
