// Catalogs by the thousand: how rows travel into the database and out again without loss.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimChore, runChore } from '../src/batches/chores.ts';
import { newId } from '../src/batches/ids.ts';
import { receiveCatalog } from '../src/batches/intake.ts';
import { enterWorker } from '../src/batches/reap.ts';
import { plainColumn, textColumn } from '../src/db/columns.ts';
import { outputCsv } from '../src/surfaces/catalog-output.ts';
import { onEachDatabase, openTestDatabase } from './support/databases.ts';
import { openHouse, type House } from './support/house.ts';

const header = 'S. No.,Product Name,Input Image Urls\n';

/** A catalog that has been expanded, small or large. */
async function expanded(house: House, csv: string) {
  const source = (async function* () {
    yield Buffer.from(csv);
  })();
  const { id } = await house.submit({ catalog: await receiveCatalog(house.app, source, { required: 'all' }) });
  const worker = newId();
  await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
  const chore = await claimChore(house.app, worker);
  if (chore) await runChore(house.app, chore, new AbortController().signal);
  return house.batch(id);
}

async function output(house: House, id: string, form: 'seed' | 'original'): Promise<string> {
  const blocks = outputCsv(house.app, await house.batch(id), { form, excel: false, folder: '/files' });
  return Buffer.concat(await Array.fromAsync(blocks)).toString();
}

async function keptCells({ app }: House, batchId: string): Promise<unknown[]> {
  const rows = app.db.query.selectFrom('products').select('cells').where('batch_id', '=', batchId).orderBy('line');
  return (await rows.execute()).map((row) => row.cells);
}

onEachDatabase((engine) => {
  describe('columns', () => {
    test('text of any kind arrives as it was sent', async () => {
      await using db = await openTestDatabase(engine);
      const sent = [
        'plain',
        '',
        null,
        'NULL',
        '{a,"b"}',
        'back\\slash',
        'line\r\nbreak',
        'Größe 漢字 🖼',
        'x'.repeat(70_000),
      ];
      const lines = sent.map((_, index) => (index === 1 ? null : index));
      const { rows } = await sql<{ line: number | null; text: string | null }>`
        select unnest(${plainColumn(lines)}::int[]) as line, unnest(${textColumn(sent)}::text[]) as text`.execute(
        db.query,
      );
      expect(rows).toEqual(sent.map((text, index) => ({ line: lines[index], text })));
    });

    test('a column of nulls is filled up beside a longer one', async () => {
      await using db = await openTestDatabase(engine);
      const { rows } = await sql`
        select unnest(${plainColumn([1, 2])}::int[]) as n, unnest(${textColumn([null, null])}::text[]) as text`.execute(
        db.query,
      );
      expect(rows).toEqual([
        { n: 1, text: null },
        { n: 2, text: null },
      ]);
    });
  });

  test('statement upon statement lets others in', async () => {
    await using db = await openTestDatabase(engine);
    let turns = 0;
    const turn = () => {
      turns++;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    const until = performance.now() + 400;
    while (performance.now() < until) await sql`select count(*) from generate_series(1, 5000)`.execute(db.query);
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  describe('cells', () => {
    test('are not kept where serial, name and URLs say the same again', async () => {
      await using house = await openHouse(engine);
      const csv = `${header}7,"A, big",https://a.example/1.jpg\n8,B,"https://a.example/2.jpg,https://a.example/3.jpg"\n`;
      const { id } = await expanded(house, csv);
      expect(await keptCells(house, id)).toEqual([null, null]);
      const lines = (await output(house, id, 'original')).split('\n');
      expect(lines.slice(1, 3)).toEqual([
        '7,"A, big",https://a.example/1.jpg,,pending,',
        '8,B,"https://a.example/2.jpg,https://a.example/3.jpg",",",pending,',
      ]);
    });

    test('are kept where a URL was mended, a separator is unusual or a column is our own', async () => {
      await using house = await openHouse(engine);
      const mended = await expanded(house, `${header}1,A,www.a.example/1.jpg\n,B,https://a.example/2.jpg\n`);
      expect(await keptCells(house, mended.id)).toEqual([
        ['1', 'A', 'www.a.example/1.jpg'],
        ['', 'B', 'https://a.example/2.jpg'],
      ]);
      const spaced = await expanded(house, `${header}1,A,"https://a.example/1.jpg | https://a.example/2.jpg"\n`);
      expect(await output(house, spaced.id, 'original')).toContain(
        '1,A,https://a.example/1.jpg | https://a.example/2.jpg," | ",pending,',
      );
      const wider = await expanded(house, `Colour,${header}red,1,A,https://a.example/1.jpg\n`);
      expect(await output(house, wider.id, 'original')).toContain('red,1,A,https://a.example/1.jpg,,pending,');
    });
  });

  describe('pages', () => {
    test.each([1, 499, 500, 501, 1000])('%i rows come out as they went in', async (count) => {
      await using house = await openHouse(engine);
      const rows = Array.from({ length: count }, (_, n) => `${n + 1},P${n + 1},https://a.example/${n + 1}.jpg`);
      const { id } = await expanded(house, `${header}${rows.join('\n')}\n`);
      const lines = (await output(house, id, 'seed')).split('\r\n');
      expect(lines.slice(1, -1)).toEqual(rows.map((row) => `${row},`));
    });

    test('rows as long as they may be are expanded whole', async () => {
      await using house = await openHouse(engine);
      const long = 'x'.repeat(60_000);
      const rows = Array.from(
        { length: 600 },
        (_, n) => `${n + 1},${n % 50 ? 'short' : long},https://a.example/${n + 1}.jpg`,
      );
      const { id } = await expanded(house, `${header}${rows.join('\n')}\n`);
      expect((await output(house, id, 'seed')).split('\r\n').slice(1, -1)).toEqual(rows.map((row) => `${row},`));
    });
  });
});
