// batch-show.ts — `darkroom batch show`: how one batch stands, and why images of it failed.

import { getBatch, listFailures, type Batch, type FailureGroup } from '../../client/index.ts';
import type { ShowFlags } from './batch.ts';
import { openClient } from './remote.ts';
import { exitCodes, type Session } from './session.ts';

export async function show(session: Session, id: string, { json, ...where }: ShowFlags): Promise<number> {
  const { client } = openClient(session, where);
  const { data: batch } = await getBatch<true>({ client, path: { id } });
  if (json) {
    session.out.write(`${JSON.stringify(batch)}\n`);
    return exitCodes.ok;
  }
  const { data: failures } = await listFailures<true>({ client, path: { id } });
  session.out.write([...linesOf(batch), ...failures.items.map(lineOf)].map((line) => `${line}\n`).join(''));
  return exitCodes.ok;
}

function linesOf({ counts, bytes, ...batch }: Batch): string[] {
  const renditions = Object.entries(batch.renditions).map(([name, steps]) => `${name}: ${steps.join('/')}`);
  const saved = bytes.saved_percent === null ? '' : `, ${bytes.saved_percent} % smaller`;
  const facts: [name: string, value: string | null][] = [
    ['Batch', batch.id],
    ['Name', batch.name],
    ['State', batch.state],
    [
      'Images',
      `${counts.total}: ${counts.succeeded} done, ${counts.failed} failed, ${counts.canceled} canceled, ${counts.remaining} to come${saved}`,
    ],
    ['Made', batch.created_at],
    ['Ended', batch.finished_at],
    ['Makes', renditions.join('; ')],
    ['Webhook', batch.webhook && `${batch.webhook.url} ${batch.webhook.state ?? ''}`],
    ['Page', batch.links.page],
  ];
  return facts.flatMap(([name, value]) => (value ? [`${name.padEnd(9)}${value}`.trimEnd()] : []));
}

const lineOf = ({ count, code, host, message, remedy }: FailureGroup): string =>
  `  ${count} x ${code}${host === null ? '' : ` at ${host}`}: ${message}${remedy === null ? '' : ` ${remedy}`}`;
