// missing.ts — says which package is not installed, what asks for it, and how it comes.
//
// Drivers of brokers and buckets are optional packages that load when a setting asks for them, so an installation without
// them runs well until that day.

/** Optional packages, and the setting whose address asks for each. */
export const askedBy: Readonly<Record<string, string>> = {
  bullmq: 'QUEUE_URL',
  ioredis: 'QUEUE_URL',
  'rabbitmq-client': 'QUEUE_URL',
  '@aws-sdk/client-s3': 'STORAGE_URL',
  '@aws-sdk/lib-storage': 'STORAGE_URL',
};

/** A sentence for an import that found no package; undefined for any other error. */
export function missingPackage(error: unknown): string | undefined {
  const { code, message = '' } = Object(error) as { code?: string; message?: string };
  const [, name] = /^Cannot find package '([^'/][^']*)'/.exec(message) ?? [];
  if (code !== 'ERR_MODULE_NOT_FOUND' || name === undefined) return undefined;
  const setting = askedBy[name];
  return setting === undefined
    ? `The package ${name} is not installed: \`npm ci\` installs it.`
    : `${setting} asks for the package ${name}, which is optional and not installed: \`npm ci --include=optional\` installs it.`;
}
