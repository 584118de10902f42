import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const megabyte = 1024 * 1024;
const nursery = new URL('../src/cli/nursery.ts', import.meta.url).href;

/** Lets a process make rows as a large catalog does, in turns of the event loop, and tells how large its nursery became. */
async function nurseryAfterRows({ bounded }: { bounded: boolean }): Promise<number> {
  const program = `
    import { setImmediate } from 'node:timers/promises';
    import { boundNursery, nurseryBytes } from '${nursery}';
    if (${bounded}) boundNursery();
    const pages = [];
    for (let page = 0; page < 2000; page++) {
      pages.push(Array.from({ length: 2000 }, (_, row) => ({ row, name: 'SKU-' + page + '-' + row })));
      if (pages.length > 10) pages.shift();
      await setImmediate();
    }
    console.log(nurseryBytes());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return Number(stdout) / megabyte;
}

describe("V8's nursery", () => {
  test('stops growing at 32 MB where it is bounded', async () => {
    expect(await nurseryAfterRows({ bounded: true })).toBeLessThanOrEqual(33);
  });

  test('else grows beyond it, or there would be nothing to bound', async () => {
    expect(await nurseryAfterRows({ bounded: false })).toBeGreaterThan(40);
  });
});
