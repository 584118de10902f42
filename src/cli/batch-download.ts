// batch-download.ts — `darkroom batch download`: the CSV of a batch, streamed to stdout or whole into a file.

import { Readable } from 'node:stream';
import type { Client } from '../../client/client/index.ts';
import { getFailedCsv, getOutputCsv } from '../../client/index.ts';
import type { DownloadFlags } from './batch.ts';
import { openClient } from './remote.ts';
import { exitCodes, type Session } from './session.ts';
import { writeWhole } from './whole.ts';

export async function download(session: Session, id: string, { out, ...flags }: DownloadFlags): Promise<number> {
  const { client } = openClient(session, flags);
  const csv = await csvOf(client, id, flags);
  if (out === undefined) for await (const text of csv.setEncoding('utf8')) session.out.write(String(text));
  else await writeWhole(out, csv);
  return exitCodes.ok;
}

/** The bytes of a batch's CSV as the server sends them. */
export async function csvOf(client: Client, id: string, what: Pick<DownloadFlags, 'form' | 'failed' | 'partial'>) {
  const partial = what.partial ? { partial: true } : {};
  const asked = { client, path: { id }, parseAs: 'stream' } as const;
  const { response } = what.failed
    ? await getFailedCsv<true>({ ...asked, query: partial })
    : await getOutputCsv<true>({ ...asked, query: { form: what.form, ...partial } });
  return Readable.from(response.body ?? []);
}
