// uploads-receive.ts — reads a form with pictures: each part streams into storage and is judged by its bytes.
//
// A part without a file name whose bytes are no picture is a text field that bears the name of a file field: what curl
// sends when its @ was forgotten. It is passed over, so that the answer says what is missing.

import type { Uses } from '../app.ts';
import { discardImages, receiveImage, type ReceivedImage } from '../batches/intake-images.ts';
import { callerOf, type Ask } from '../http/http.ts';
import { readForm } from '../http/multipart.ts';
import { problem } from '../problem.ts';

export type SentImage = { name: string; received: ReceivedImage };

/** The pictures of the request in the order of their parts; more than `most` refuse the request. */
export async function receiveImages(
  app: Uses<'db' | 'storage' | 'config' | 'log'>,
  request: Ask,
  { fields, most }: { fields: readonly string[]; most: number },
): Promise<SentImage[]> {
  if (!request.isMultipart()) return [];
  const { owner } = callerOf(request);
  let taken = 0;
  const { files } = await readForm<ReceivedImage | undefined>(request, {
    files: fields,
    maxFiles: app.config.maxFiles,
    maxBytes: app.config.maxRequest,
    async keep(source, label) {
      if (taken >= most) throw problem('one_file_only', { where: '/api/async/upload' });
      const received = await receiveImage(app, source, { owner, label });
      if (label === '' && 'refused' in received) return undefined;
      taken++;
      return received;
    },
    drop: async (received) => discardImages(app, received ? [received] : []),
  });
  const sent = files.flatMap((file): SentImage[] =>
    'kept' in file && file.kept ? [{ name: file.name || 'image', received: file.kept }] : [],
  );
  const refused = files.find((file) => 'refused' in file)?.refused;
  if (!refused) return sent;
  await discardSent(app, sent);
  throw refused;
}

/** Takes back what was stored for a request that is refused after all. */
export async function discardSent(app: Uses<'db' | 'storage' | 'log'>, sent: SentImage[]): Promise<void> {
  await discardImages(
    app,
    sent.map(({ received }) => received),
  );
}
