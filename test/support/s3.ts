// s3.ts — a server that speaks S3, in this process, with buckets in a temporary folder.
//
// It accepts wrong secrets, so it says nothing about signatures; what it stores and lists is what S3 would.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

export type S3Server = AsyncDisposable & {
  /** STORAGE_URL of an own prefix in the bucket. */
  urlOf(prefix: string): string;
  /** What the driver needs to know beside it. */
  env: Record<string, string>;
  bucket: string;
};

export async function startS3(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-s3-'));
  const bucket = 'darkroom-test';
  const configureBuckets = [{ name: bucket, configs: [] }];
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory, configureBuckets });
  const { port } = await server.run();
  return {
    bucket,
    urlOf: (prefix) => `s3://${bucket}/${prefix}?region=us-east-1&endpoint=http://127.0.0.1:${port}`,
    env: { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' },
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
