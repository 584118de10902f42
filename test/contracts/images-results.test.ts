// images-results.test.ts — surface D: what comes of a job, and what its status says on the way.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { flat, jobPath, jobsOn, unknownId } from '../support/jobs.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { csv, openServed, type Served } from '../support/served.ts';

/** A name of the hosts file that means a private address and is not plainly local; absent on some machines. */
const privateName = readFileSync('/etc/hosts', 'utf8')
  .split('\n')
  .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
  .filter(([address = '']) => isIP(address) === 4 && /^(127|10|172\.(1[6-9]|2\d|3[01])|192\.168)\./.test(address))
  .flatMap(([, ...names]) => names)
  .find((name) => /^[a-z0-9.-]+$/i.test(name) && !/(^|\.)localhost$/i.test(name));

onEachDatabase((engine) => {
  describe('results', () => {
    let served: Served;
    let source: Receiver;
    let flaky: Receiver;
    let away: Receiver;
    let slow: { id: string; words: Promise<Set<string>> };
    beforeAll(async () => {
      const wide = await flat(1600, 800).jpeg().toBuffer();
      const answers: Record<string, { status: number; headers?: Record<string, string>; body: string | Buffer }> = {
        '/wide.jpg': { status: 200, body: wide },
        '/page': { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>no picture</html>' },
      };
      source = await openReceiver(({ path }) => answers[path] ?? { status: 404 });
      flaky = await openReceiver((_call, number) => (number <= 2 ? { status: 503 } : { status: 200, body: wide }));
      away = await openReceiver(() => ({ status: 503 }));
      served = await openServed(engine, { allow: [source.host, flaky.host, away.host] });
      // Its waits take seconds: it runs beside the other cases.
      const { json } = await submit({ imageUrl: `http://${flaky.host}/a.jpg` });
      slow = { id: json.jobId, words: wordsUntilEnd(json.jobId) };
      slow.words.catch(() => {});
    });
    afterAll(async () => {
      await served[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await flaky[Symbol.asyncDispose]();
      await away[Symbol.asyncDispose]();
    });

    const { submit, wordsUntilEnd, finish, run, bytesAt, sizeAt } = jobsOn(() => served);
    const at = (path: string) => `http://${source.host}${path}`;
    const pictures = (path: string) => `http://${served.pictures.host}${path}`;

    test('D1: the PGM becomes a PNG of exactly 100x100 without colour', async () => {
      const { resultUrl } = await run(pictures('/test_image.pgm'), ['resize:100x100', 'grayscale']);
      expect(await sizeAt(resultUrl)).toEqual({ format: 'png', width: 100, height: 100, channels: 1 });
    });

    test('D6: without transformations the result is a PNG of the original size', async () => {
      for (const transformations of [undefined, []]) {
        const { resultUrl } = await run(at('/wide.jpg'), transformations);
        expect(await sizeAt(resultUrl)).toMatchObject({ format: 'png', width: 1600, height: 800 });
      }
    });

    test('D7: blanks and case mean nothing', async () => {
      const loose = await run(pictures('/a.jpg'), [' Resize:100X100 ']);
      const plain = await run(pictures('/a.jpg'), ['resize:100x100']);
      expect(await sizeAt(loose.resultUrl)).toMatchObject({ format: 'png', width: 100, height: 100 });
      expect(await bytesAt(loose.resultUrl)).toEqual(await bytesAt(plain.resultUrl));
    });

    test('D8: one side keeps the ratio, and an output operation chooses the format', async () => {
      const { resultUrl } = await run(at('/wide.jpg'), ['resize:800x']);
      expect(await sizeAt(resultUrl)).toMatchObject({ format: 'png', width: 800, height: 400 });
      const webp = await run(at('/wide.jpg'), ['resize:800x', 'webp']);
      expect(webp.resultUrl).toMatch(/^http:\/\/localhost:\d+\/processed_images\/[a-z2-7]{26}\.webp$/);
      expect(await sizeAt(webp.resultUrl)).toMatchObject({ format: 'webp', width: 800, height: 400 });
      for (const [operation, format] of [
        ['format:keep', 'jpeg'],
        ['q:70', 'jpeg'],
        ['resize:80x/AVIF', 'heif'],
      ] as const)
        expect(await sizeAt((await run(at('/wide.jpg'), [operation])).resultUrl)).toMatchObject({ format });
    });

    test('a preset stands for its operations, and its output is an output that was asked for', async () => {
      expect(await sizeAt((await run(at('/wide.jpg'), ['preset:upload'])).resultUrl)).toMatchObject({
        format: 'png',
        width: 1500,
      });
      const { resultUrl } = await run(at('/wide.jpg'), ['preset:catalog']);
      expect(await sizeAt(resultUrl)).toMatchObject({ format: 'jpeg', width: 1600 });
      const unknown = await submit({ imageUrl: at('/wide.jpg'), transformations: ['preset:nope'] });
      expect(unknown).toMatchObject({ status: 422, json: { detail: [{ type: 'value_error' }] } });
      expect(unknown.json.detail[0].msg).toContain('nope');
    });

    test('D10: what is not there, or no picture, fails with a sentence and without an address', async () => {
      const none = await run(at('/none.jpg'));
      expect(none).toMatchObject({ status: 'FAILED', errorMessage: 'The host has no such picture.', resultUrl: null });
      const page = await run(at('/page'));
      expect(page).toMatchObject({ status: 'FAILED', errorMessage: 'This is not an image.', resultUrl: null });
    });

    test.skipIf(!privateName)('D10: a name that means a private address is taken, and then fails', async () => {
      const { errorMessage, ...job } = await run(`http://${privateName}/a.jpg`);
      expect(job).toMatchObject({ status: 'FAILED', resultUrl: null });
      expect(errorMessage).toBe('The address may not be fetched from here.');
    });

    test('D13: a source that is away twice costs tries and no failure', async () => {
      expect(await slow.words).not.toContain('FAILED');
      expect(await finish(slow.id)).toMatchObject({ status: 'COMPLETED', attempts: 3, errorMessage: null });
    });

    test('the result by id has the bytes of resultUrl, under its real extension alone', async () => {
      const { jobId, resultUrl } = await run(pictures('/b.png'), ['fit:30x']);
      const byId = `${served.url}/app/processed_images/${jobId}.png`;
      expect(await bytesAt(byId)).toEqual(await bytesAt(resultUrl));
      expect(await bytesAt(byId.replace(jobId, jobId.toUpperCase().replaceAll('-', '')))).toHaveLength(
        (await bytesAt(resultUrl)).length,
      );
      const reply = await served.ask(`/app/processed_images/${jobId}.png`);
      expect(reply.headers.get('content-type')).toBe('image/png');
      // By id there may be another file tomorrow, and a cache between us must not keep it for others.
      expect(reply.headers.get('cache-control')).toBe('private, no-cache');
      const etag = reply.headers.get('etag') ?? '';
      const same = await served.ask(`/app/processed_images/${jobId}.png`, { headers: { 'if-none-match': etag } });
      expect(same.status).toBe(304);
      for (const name of [`${jobId}.jpg`, jobId, 'x.png', `${unknownId}.png`, `${slow.id}.webp`])
        expect([name, await served.ask(`/app/processed_images/${name}`)]).toEqual([
          name,
          expect.objectContaining({ status: 404, json: { detail: 'Not Found', code: 'not_found' } }),
        ]);
    });

    test('any image answers here, and its id in any spelling', async () => {
      const file = csv(`1,A,${pictures('/a.jpg')}\n`);
      const { request_id } = (await served.ask('/upload', { form: { file } })).json;
      const [image] = (await served.ask(`/v1/batches/${request_id}/images`)).json.items;
      expect(await finish(image.id)).toMatchObject({ jobId: image.id, status: 'COMPLETED' });
      const { json } = await served.ask(`${jobPath(image.id.toUpperCase().replaceAll('-', ''))}/`);
      expect(json.resultUrl).toMatch(/\.jpg$/);
      expect(json.jobId).toBe(image.id);
    });

    test('an image with several renditions shows "default", else its first', async () => {
      const send = async (renditions: Record<string, string>) => {
        const images = [{ source: { url: pictures('/a.jpg') } }];
        const body = JSON.stringify({ images, renditions });
        const headers = { 'content-type': 'application/json' };
        const { json } = await served.ask('/v1/batches', { method: 'POST', body, headers });
        const [image] = (await served.ask(`/v1/batches/${json.id}/images`)).json.items;
        return (await sizeAt((await finish(image.id)).resultUrl)).width;
      };
      expect(await send({ small: 'fit:20x', default: 'fit:40x' })).toBe(40);
      expect(await send({ zoom: 'fit:80x', card: 'fit:20x' })).toBe(80);
    });

    test('a canceled job has failed, and says so; until then one that waits for its next try is in work', async () => {
      const { jobId } = (await submit({ imageUrl: `http://${away.host}/a.jpg` })).json;
      const story = async () => (await served.ask(`/v1/images/${jobId}`)).json;
      const waitsAgain = async () => {
        const { attempts, state: now } = await story();
        return attempts > 0 && now === 'queued';
      };
      await expect.poll(waitsAgain, { timeout: 30_000 }).toBe(true);
      expect((await served.ask(jobPath(jobId))).json).toMatchObject({ status: 'PROCESSING', errorMessage: null });
      await served.ask(`/v1/batches/${(await story()).batch_id}/cancel`, { method: 'POST' });
      expect(await finish(jobId)).toMatchObject({ status: 'FAILED', errorMessage: 'Canceled', resultUrl: null });
    });
  });
});
