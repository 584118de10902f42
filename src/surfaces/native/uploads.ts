// uploads.ts — POST /v1/uploads: pictures and catalogs that a batch will name later. All are taken, or none.

import type { App } from '../../app.ts';
import { discardFiles, keepCatalog, nameOf, receiveFile, type ReceivedFile } from '../../batches/uploads.ts';
import { callerOf, type Ask, type Http } from '../../http/http.ts';
import { doOnce, holdKey, keepAfterwards, sendOutcome } from '../../http/idempotency.ts';
import { dropFiles, readForm, type FormFile } from '../../http/multipart.ts';
import { checked } from '../../http/validate.ts';
import { problem, problemSaying } from '../../problem.ts';
import { fileFields, refuseRefused } from './contents.ts';
import { surfaceName } from './create.ts';
import { noFields, noQuery, uploadAnswer, uploadBodies } from './schemas.ts';

export function addUploads(http: Http, app: App): void {
  http.post(
    '/v1/uploads',
    {
      config: { scope: 'write', bodies: uploadBodies },
      schema: {
        tags: [surfaceName],
        operationId: 'createUploads',
        summary: 'Upload pictures and catalogs for a later batch',
        querystring: noQuery,
        response: uploadAnswer,
      },
    },
    async (request, reply) => {
      const { owner } = callerOf(request);
      const { twin, release } = holdKey(request, owner);
      try {
        const files = await readFiles(app, request);
        const undo = () =>
          discardFiles(
            app,
            files.map(({ kept }) => kept),
          );
        const items = files.map(itemOf);
        const meaning = items.map(({ name, sha256 }) => [name, sha256]);
        const answer = { status: 201, headers: {}, body: { items } };
        const run = async (keep: Parameters<typeof keepAfterwards>[1]) => {
          for (const { kept, name } of files)
            if ('catalog' in kept) await keepCatalog(app, kept.catalog, { owner, label: name });
          await keepAfterwards(app, keep, answer, null);
          return { answer, batchId: null };
        };
        const done = await doOnce(app, twin, { meaning, undo, run }).catch(async (error: unknown) => {
          await undo();
          throw error;
        });
        return await sendOutcome(reply, done);
      } finally {
        release();
      }
    },
  );
}

type Taken = { name: string; kept: ReceivedFile };

/** The files of the form; throws when one is refused, and then none is kept. */
async function readFiles(app: App, request: Ask): Promise<Taken[]> {
  if (!request.isMultipart()) throw problem('unsupported_media_type', { accepted: 'multipart/form-data' });
  const { owner } = callerOf(request);
  const drop = (file: ReceivedFile) => discardFiles(app, [file]);
  const { fields, files } = await readForm<ReceivedFile>(request, {
    files: fileFields,
    maxFiles: app.config.maxFiles,
    maxBytes: app.config.maxRequest,
    keep: (source, label) => receiveFile(app, source, { owner, label }),
    drop,
  });
  try {
    checked(noFields, Object.fromEntries(fields), 'form');
    if (files.length === 0) throw problemSaying('no_file', 'No file was sent: "file" is the field for it.');
    refuseRefused(files);
    return files.filter(isTaken);
  } catch (error) {
    await dropFiles(files, { drop });
    throw error;
  }
}

const isTaken = (file: FormFile<ReceivedFile>): file is Taken & { field: string } => 'kept' in file;

function itemOf({ name, kept }: Taken) {
  const { bytes, sha256 } = 'picture' in kept ? kept.picture : kept.catalog;
  const mediaType = 'picture' in kept ? kept.picture.mediaType : 'text/csv';
  return { upload: nameOf(kept), name, media_type: mediaType, bytes, sha256: sha256.toString('hex') };
}
