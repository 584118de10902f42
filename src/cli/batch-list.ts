// batch-list.ts — `darkroom batch list`: the newest batches as a table, or as JSON lines.

import { listBatches, type Batch, type ListBatchesData } from '../../client/index.ts';
import type { ListFlags } from './batch.ts';
import { openClient } from './remote.ts';
import { exitCodes, type Session } from './session.ts';

const heads = ['BATCH', 'STATE', 'IMAGES', 'FAILED', 'MADE', 'NAME'];

export async function listAll(session: Session, { state, limit, json, ...where }: ListFlags): Promise<number> {
  const { client } = openClient(session, where);
  // The server knows the states, and says so of any other.
  const query = { limit, ...(state !== undefined && { state }) } as NonNullable<ListBatchesData['query']>;
  const { data } = await listBatches<true>({ client, query });
  if (json) for (const batch of data.items) session.out.write(`${JSON.stringify(batch)}\n`);
  else if (data.items.length === 0) session.err.write('There is no such batch.\n');
  else session.out.write(tableOf([heads, ...data.items.map(rowOf)]));
  return exitCodes.ok;
}

function rowOf({ id, state, counts, created_at, name }: Batch): string[] {
  const ended = `${counts.total - counts.remaining}/${counts.total}`;
  return [id, state, ended, String(counts.failed), created_at.slice(0, 16).replace('T', ' '), name ?? '-'];
}

function tableOf(rows: string[][]): string {
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
