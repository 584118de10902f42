// batch-change.ts — `darkroom batch retry`, `cancel` and `delete`: what may be asked of a batch of a server.

import { cancelBatch, deleteBatch, retryBatch } from '../../client/index.ts';
import type { DeleteFlags, RetryFlags } from './batch.ts';
import { openClient, type RemoteFlags } from './remote.ts';
import { exitCodes, type Session } from './session.ts';

export async function retry(session: Session, id: string, { code, host, ...where }: RetryFlags): Promise<number> {
  const { client } = openClient(session, where);
  const body = { ...(code && { codes: code }), ...(host && { hosts: host }) };
  const { data } = await retryBatch<true>({ client, path: { id }, body });
  session.err.write(`Images that are tried again: ${data.retried}. Follow them: darkroom batch watch ${id}\n`);
  return exitCodes.ok;
}

export async function cancel(session: Session, id: string, where: RemoteFlags): Promise<number> {
  const { client } = openClient(session, where);
  const { data } = await cancelBatch<true>({ client, path: { id } });
  const ended = data.finished_at !== null;
  session.err.write(
    ended ? `The batch has ended: ${data.state}.\n` : 'What waits is canceled; what is in hand is finished.\n',
  );
  return exitCodes.ok;
}

export async function remove(
  session: Session,
  id: string,
  { cancel: running, ...where }: DeleteFlags,
): Promise<number> {
  const { client } = openClient(session, where);
  await deleteBatch<true>({ client, path: { id }, ...(running && { query: { cancel: true } }) });
  session.err.write('The batch is deleted.\n');
  return exitCodes.ok;
}
