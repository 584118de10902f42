// bucket-url.ts — reads `s3://bucket/prefix?region=&endpoint=`. Mistakes are told without repeating what may be a secret.

export type Bucket = {
  bucket: string;
  /** Of every key: '' or with a slash at its end. */
  prefix: string;
  region: string | undefined;
  endpoint: string | undefined;
  /** The bucket in the path instead of the host name: what servers other than Amazon's expect. */
  pathStyle: boolean;
};

const known = ['region', 'endpoint', 'path_style'];

export function readBucketUrl(text: string): Bucket {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.hostname === '')
    throw new Error('STORAGE_URL must look like s3://bucket/prefix?region=eu-central-1.');
  if (url.username || url.password)
    throw new Error('STORAGE_URL must hold no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.');
  const strange = [...url.searchParams.keys()].find((name) => !known.includes(name));
  if (strange !== undefined) throw new Error(`STORAGE_URL has ?${strange}=, but s3: knows ${known.join(', ')} only.`);
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint))
    throw new Error('STORAGE_URL: endpoint must be an address such as https://s3.example.com.');
  const folder = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  const style = url.searchParams.get('path_style');
  return {
    bucket: url.hostname,
    prefix: folder === '' ? '' : `${folder}/`,
    region: url.searchParams.get('region') ?? undefined,
    endpoint,
    pathStyle: style === null ? endpoint !== undefined : style !== 'false',
  };
}
