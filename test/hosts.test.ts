// Politeness that all processes share: blocked hosts are known everywhere, parked images come back one after the other.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { parkedWaits, shareHosts } from '../src/batches/hosts.ts';
import { openHosts } from '../src/egress/hosts.ts';
import type { Egress } from '../src/egress/egress.ts';
import { databaseEngines, onEachDatabase } from './support/databases.ts';
import { openHouse, type House } from './support/house.ts';

/** One process: its own memory of hosts, beside the database of all. */
function openProcess(house: House) {
  const hosts = openHosts({ connections: 8, now: () => Date.now() });
  // Of the way out only its politeness is asked.
  const egress = { hosts } as Egress;
  return { hosts, share: () => shareHosts({ db: house.app.db, egress }) };
}

const asked = (retryAfterMs: number) => ({ ok: false, code: 'rate_limited', httpStatus: 429, retryAfterMs }) as const;
const struggling = { ok: false, code: 'server_error', httpStatus: 503 } as const;
/** How many connections a process gives the host; what it does not remember behaves. */
const allowed = ({ hosts }: ReturnType<typeof openProcess>, host: string) =>
  hosts.snapshot().find((each) => each.host === host)?.connections ?? 8;
const hostRows = (house: House) => house.app.db.query.selectFrom('hosts').selectAll().execute();

onEachDatabase((engine) => {
  describe('parked images', () => {
    test('get places in a row, ten a second, none before the pause is over', async () => {
      await using house = await openHouse(engine);
      const waits = parkedWaits(house.app);
      const places = await Promise.all(Array.from({ length: 50 }, () => waits.reserve('slow.example', 5_000)));
      expect(places[0]).toBeGreaterThanOrEqual(4_990);
      places.slice(1).forEach((wait, index) => expect(wait - places[index]!).toBeCloseTo(100, 0));
    });

    test('of several processes share one row of places', async () => {
      await using house = await openHouse(engine);
      const [one, two] = [parkedWaits(house.app), parkedWaits(house.app)];
      const first = await Promise.all(Array.from({ length: 20 }, () => one.reserve('slow.example', 1_000)));
      const second = await Promise.all(Array.from({ length: 20 }, () => two.reserve('slow.example', 1_000)));
      // The second twenty were asked for a moment later; a moment is less than the two seconds of the first.
      expect(Math.min(...second)).toBeGreaterThan(Math.max(...first) - 1_000);
      const spread = Math.max(...second) - Math.min(...first);
      expect(spread).toBeGreaterThan(2_500);
    });

    test('never wait for more than ten minutes, however many they are', async () => {
      await using house = await openHouse(engine);
      const waits = parkedWaits(house.app);
      const places = await Promise.all(Array.from({ length: 7_000 }, () => waits.reserve('slow.example', 60_000)));
      expect(Math.max(...places)).toBeLessThanOrEqual(600_000);
      expect(Math.min(...places)).toBeGreaterThanOrEqual(59_990);
    });

    test('of a host that is only being probed do not block it for the others', async () => {
      await using house = await openHouse(engine);
      await parkedWaits(house.app).reserve('probed.example', 1_000);
      expect(await hostRows(house)).toMatchObject([{ host: 'probed.example', blocked_until: null }]);
      const other = openProcess(house);
      await other.share();
      expect(other.hosts.blockedFor('probed.example')).toBe(0);
    });
  });

  describe('two processes', () => {
    test('leave a host alone that one of them was asked to leave', async () => {
      await using house = await openHouse(engine);
      const [one, two] = [openProcess(house), openProcess(house)];
      one.hosts.report('busy.example', asked(60_000));
      await one.share();
      await two.share();
      expect(two.hosts.blockedFor('busy.example')).toBeGreaterThan(55_000);
      expect(two.hosts.blockedFor('other.example')).toBe(0);
    });

    test('are both slower with a host that struggles in one of them', async () => {
      await using house = await openHouse(engine);
      const [one, two] = [openProcess(house), openProcess(house)];
      for (let times = 0; times < 2; times += 1) one.hosts.report('weak.example', struggling);
      await one.share();
      await two.share();
      expect(allowed(two, 'weak.example')).toBe(2);
      one.hosts.report('weak.example', struggling);
      await one.share();
      await two.share();
      expect(allowed(two, 'weak.example')).toBe(1);
      expect(allowed(two, 'other.example')).toBe(8);
    });

    test('do not slow each other down for ever', async () => {
      await using house = await openHouse(engine);
      const [one, two] = [openProcess(house), openProcess(house)];
      one.hosts.report('weak.example', struggling);
      await one.share();
      await two.share();
      await one.share();
      const [before] = await hostRows(house);
      await sql`update hosts set slowed_until = now() - interval '1 s'`.execute(house.app.db.query);
      for (let times = 0; times < 80; times += 1) two.hosts.report('weak.example', { ok: true });
      await two.share();
      expect(allowed(two, 'weak.example')).toBe(8);
      expect(before).toMatchObject({ rate: 4, blocked_until: null });
    });

    test('do not prolong a block by telling it to each other', async () => {
      await using house = await openHouse(engine);
      const processes = [openProcess(house), openProcess(house), openProcess(house)];
      processes[0]!.hosts.report('busy.example', asked(20_000));
      await processes[0]!.share();
      const [before] = await hostRows(house);
      for (let round = 0; round < 30; round += 1) for (const each of processes) await each.share();
      const [after] = await hostRows(house);
      expect(after!.blocked_until!.getTime() - before!.blocked_until!.getTime()).toBeLessThan(1_500);
    });

    test('learn nothing from a block that is over', async () => {
      await using house = await openHouse(engine);
      await sql`insert into hosts (host, blocked_until) values ('past.example', now() - interval '1 s')`.execute(
        house.app.db.query,
      );
      const one = openProcess(house);
      await one.share();
      expect(one.hosts.blockedFor('past.example')).toBe(0);
    });
  });
});

// PGlite runs in this process and has its clock.
describe.skipIf(!databaseEngines.includes('postgres'))('two machines, on PostgreSQL', () => {
  test('a clock that is a day ahead blocks nobody for a day', async () => {
    await using house = await openHouse('postgres');
    const now = Date.now;
    const ahead = openProcess(house);
    Date.now = () => now() + 86_400_000;
    try {
      ahead.hosts.report('busy.example', asked(30_000));
      await ahead.share();
    } finally {
      Date.now = now;
    }
    const other = openProcess(house);
    await other.share();
    expect(other.hosts.blockedFor('busy.example')).toBeLessThan(31_000);
    expect(other.hosts.blockedFor('busy.example')).toBeGreaterThan(25_000);
  });
});
