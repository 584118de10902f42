// snippets.ts — what the upload page is about to do, written as commands that do the same.

export type Work = {
  origin: string;
  pipeline: string;
  webhookUrl: string;
  /** Names of picture files, URLs, the name of a catalog: whichever there are. */
  files: string[];
  urls: string[];
  catalog: string | undefined;
};

/** Code by language. Without anything added it shows the sample catalog. */
export function snippetsOf(work: Work): Record<string, string> {
  const { catalog, files, urls } = work;
  const curl = catalog !== undefined || files.length > 0 ? formCurl(work) : jsonCurl(work);
  const js = catalog !== undefined || files.length > 0 ? formJs(work) : jsonJs(work);
  if (catalog !== undefined) return { curl, js, cli: cli(work, catalog) };
  return urls.length > 0 && files.length > 0
    ? { curl: `${curl}\n\n${jsonCurl(work)}`, js: `${js}\n\n${jsonJs(work)}` }
    : { curl, js };
}

const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function fieldsOf({ pipeline, webhookUrl }: Work): [string, string][] {
  return [['pipeline', pipeline], ...(webhookUrl === '' ? [] : [['webhook_url', webhookUrl] as [string, string]])];
}

function formCurl(work: Work): string {
  const files = work.catalog !== undefined ? [work.catalog] : work.files;
  const parts = [
    ...files.map((name) => `-F ${quoted(`file=@"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`)}`),
    ...fieldsOf(work).map(([name, value]) => `--form-string ${quoted(`${name}=${value}`)}`),
  ];
  return [`curl ${work.origin}/v1/batches`, ...parts].join(' \\\n  ');
}

function bodyOf(work: Work): object {
  const content = work.urls.length > 0 ? { images: work.urls.map((url) => ({ source: { url } })) } : { sample: true };
  return { ...content, ...Object.fromEntries(fieldsOf(work)) };
}

function jsonCurl(work: Work): string {
  const body = JSON.stringify(bodyOf(work));
  return `curl ${work.origin}/v1/batches \\\n  -H 'content-type: application/json' \\\n  -d ${quoted(body)}`;
}

function formJs(work: Work): string {
  const files = work.catalog !== undefined ? [work.catalog] : work.files;
  return [
    `import { openAsBlob } from 'node:fs';`,
    '',
    'const form = new FormData();',
    `for (const name of ${JSON.stringify(files)})`,
    `  form.append('file', await openAsBlob(name), name);`,
    ...fieldsOf(work).map(([name, value]) => `form.append(${JSON.stringify(name)}, ${JSON.stringify(value)});`),
    `const answer = await fetch('${work.origin}/v1/batches', { method: 'POST', body: form });`,
    'console.log(await answer.json());',
  ].join('\n');
}

function jsonJs(work: Work): string {
  return [
    `const answer = await fetch('${work.origin}/v1/batches', {`,
    `  method: 'POST',`,
    `  headers: { 'content-type': 'application/json' },`,
    `  body: JSON.stringify(${JSON.stringify(bodyOf(work), null, 2).replaceAll('\n', '\n  ')}),`,
    '});',
    'console.log(await answer.json());',
  ].join('\n');
}

function cli({ pipeline, origin }: Work, catalog: string): string {
  return [
    `npx darkroom process ${quoted(catalog)} --out out.csv`,
    `--pipeline ${quoted(pipeline)}`,
    `--url ${origin}`,
  ].join(' \\\n  ');
}
