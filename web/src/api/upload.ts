// upload.ts — sends one file to POST /v1/uploads and tells how far it is.
//
// XMLHttpRequest, because fetch tells nothing about the way up.

import { session } from '../session.svelte.ts';
import { Refusal } from './call.ts';
import type { ProblemBody, Upload } from './answers.ts';

/** Resolves with the stored file; rejects with a {@link Refusal}, also when `signal` ends it. */
export function uploadFile(
  file: File,
  { onProgress, signal }: { onProgress: (share: number) => void; signal: AbortSignal },
): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/uploads');
    request.responseType = 'json';
    if (session.csrfToken) request.setRequestHeader('x-csrf-token', session.csrfToken);
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
    request.addEventListener('load', () => {
      const body = request.response as (ProblemBody & { items?: Upload[] }) | null;
      const [upload] = body?.items ?? [];
      if (request.status === 201 && upload) resolve(upload);
      else reject(new Refusal(request.status, body ?? {}));
    });
    for (const type of ['error', 'abort', 'timeout']) request.addEventListener(type, () => reject(new Refusal(0, {})));
    signal.addEventListener('abort', () => request.abort());
    const form = new FormData();
    form.append('file', file, file.name);
    request.send(form);
  });
}
