// tasks.test.ts — surface E: its README's commands, and what it takes and refuses.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runContract } from '../support/contract-files.ts';
import { onEachDatabase } from '../support/databases.ts';
import { faultsOf, unknownId } from '../support/jobs.ts';
import { openServed, type Served } from '../support/served.ts';
import { noisy, pictureFile, resultPath, taskPath, tasksOn } from '../support/tasks.ts';

onEachDatabase((engine) => {
  describe('README E', () => {
    test('runs as written', { timeout: 120_000 }, async () => {
      expect(await runContract('tasks', engine, 'as written')).toBeGreaterThan(3);
    });
    test('runs with the other slashes', { timeout: 120_000 }, async () => {
      expect(await runContract('tasks', engine, 'the other way')).toBeGreaterThan(3);
    });
  });

  describe('cases', () => {
    let served: Served;
    let wide: File;
    beforeAll(async () => {
      served = await openServed(engine);
      wide = pictureFile(await noisy(1600, 800).jpeg().toBuffer(), 'wide.jpg');
    });
    afterAll(() => served[Symbol.asyncDispose]());

    const { send, finish, done, kept } = tasksOn(() => served);

    test('the first answer repeats the order, and tells where to look and when', async () => {
      const { status, headers, json } = await send({ file: wide, width: '80', height: '60', preserve_ratio: 'no' });
      expect(status).toBe(202);
      expect(json).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        status: 'pending',
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        completed_at: null,
        width: 80,
        height: 60,
        preserve_ratio: false,
      });
      expect(headers.get('location')).toBe(taskPath(json.id));
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Object.keys(await finish(json.id))).toEqual(['id', 'status', 'created_at', 'completed_at', 'error']);
      // The name is shown to who looks at the batch.
      expect((await served.ask(`/v1/images/${json.id}`)).json.source.name).toBe('wide.jpg');
    });

    test('E5: neither side is a missing field', async () => {
      expect(await faultsOf(send({ file: wide }))).toEqual([['missing', 'body.width']]);
      expect(await faultsOf(send({ file: wide, width: ' ', height: '' }))).toEqual([['missing', 'body.width']]);
    });

    test('E6: a side that is no number, or out of bounds', async () => {
      const side = (width: string) => faultsOf(send({ file: wide, width }));
      expect(await side('abc')).toEqual([['int_parsing', 'body.width']]);
      expect(await side('1.5')).toEqual([['int_parsing', 'body.width']]);
      expect(await side('0')).toEqual([['greater_than_equal', 'body.width']]);
      expect(await side('-1')).toEqual([['greater_than_equal', 'body.width']]);
      expect(await side('99999')).toEqual([['less_than_equal', 'body.width']]);
      const both = send({ file: wide, width: '8192', height: '8192', preserve_ratio: 'false' });
      expect(await faultsOf(both)).toEqual([['value_error', 'body.width']]);
    });

    test('E7: preserve_ratio in the words of forms', async () => {
      const word = async (preserve_ratio: string) =>
        (await done({ file: wide, width: '8', preserve_ratio })).first.preserve_ratio;
      for (const yes of ['YES', 'true', '1', 'on', 't', 'Y', '']) expect([yes, await word(yes)]).toEqual([yes, true]);
      for (const no of ['off', 'False', '0', 'no', 'F', 'n']) expect([no, await word(no)]).toEqual([no, false]);
      const wrong = send({ file: wide, width: '8', preserve_ratio: '2' });
      expect(await faultsOf(wrong)).toEqual([['bool_parsing', 'body.preserve_ratio']]);
    });

    test('E8: no file is a missing field, no picture is 415, and nothing is kept of either', async () => {
      const before = await kept();
      expect(await faultsOf(send({ width: '8' }))).toEqual([['missing', 'body.file']]);
      const text = pictureFile(Buffer.from('not a picture at all'), 'x.jpg');
      const refused = await send({ file: text, width: '8' });
      expect(refused).toMatchObject({ status: 415, json: { code: 'not_an_image' } });
      expect(typeof refused.json.detail).toBe('string');
      expect((await send({ file: pictureFile(Buffer.alloc(0), 'x.jpg'), width: '8' })).status).toBe(415);
      // A picture that was stored is taken back when the fields are wrong.
      expect((await send({ file: wide, width: 'abc' })).status).toBe(422);
      expect(await kept()).toEqual(before);
    });

    test('all faults of a form are told at once, and the fields before the picture', async () => {
      const form = send({ width: 'abc', height: '0', preserve_ratio: 'perhaps' });
      expect(await faultsOf(form)).toEqual([
        ['bool_parsing', 'body.preserve_ratio'],
        ['greater_than_equal', 'body.height'],
        ['int_parsing', 'body.width'],
        ['missing', 'body.file'],
      ]);
      const text = pictureFile(Buffer.from('text'), 'x.jpg');
      expect(await faultsOf(send({ file: text, width: '0' }))).toEqual([['greater_than_equal', 'body.width']]);
      const json = { method: 'POST', body: '{"width":5}', headers: { 'content-type': 'application/json' } };
      expect(await faultsOf(served.ask('/api/v1/tasks', json))).toEqual([
        ['missing', 'body.file'],
        ['missing', 'body.width'],
      ]);
    });

    test('two files in the one field are refused, of two values the first that is not empty counts', async () => {
      const before = await kept();
      const form = new FormData();
      for (const name of ['a.jpg', 'b.jpg']) form.append('file', wide, name);
      form.append('width', '');
      form.append('width', '16');
      const two = await served.ask('/api/v1/tasks', { method: 'POST', body: form });
      expect(two).toMatchObject({ status: 422, json: { code: 'one_file_only', detail: [{ loc: ['body', 'file'] }] } });
      expect(await kept()).toEqual(before);
      form.delete('file');
      form.append('file', wide);
      const { json } = await served.ask('/api/v1/tasks', { method: 'POST', body: form });
      expect(json.width).toBe(16);
      await finish(json.id);
    });

    test('E13: an unknown id is 404, no id is 422, on both GETs', async () => {
      for (const path of [taskPath, resultPath]) {
        expect(await served.ask(path(unknownId))).toMatchObject({ status: 404, json: { detail: 'Task not found' } });
        expect(await faultsOf(served.ask(path('abc')))).toEqual([['uuid_parsing', 'path.task_id']]);
      }
    });

    test('a repeated form with one Idempotency-Key is one task, and its second file is not kept', async () => {
      const key = { 'idempotency-key': 'e-twice' };
      const first = await send({ file: wide, width: '33' }, key);
      await finish(first.json.id);
      const before = await kept();
      const again = await send({ width: ' 33', file: wide }, key);
      expect([again.status, again.json]).toEqual([202, first.json]);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await send({ file: wide, width: '34' }, key)).toMatchObject({
        status: 422,
        json: { code: 'idempotency_mismatch' },
      });
      expect(await kept()).toEqual(before);
    });
  });
});
