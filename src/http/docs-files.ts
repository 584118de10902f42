// docs-files.ts — answers that are files: they are streamed, so no schema of a route describes them.

type Content = Record<string, { schema?: object; example?: unknown }>;

const picture = (description: string): Content => ({
  'image/*': { schema: { type: 'string', format: 'binary', description }, example: '(bytes)' },
});
const csv: Content = {
  'text/csv': {
    schema: { type: 'string' },
    example:
      'S. No.,Product Name,Input Image Urls,Output Image Urls\r\n' +
      '1,SKU1,https://cdn.example.com/1.jpg,https://darkroom.example.com/v1/files/k3v7q2mzt4w5x6y7a2b3c4d5e6.jpg\r\n',
  },
};
const text = (type: string, example: string): Content => ({ [type]: { schema: { type: 'string' }, example } });
const result = picture('The file, with ETag and ranges; it never changes.');

/** By operation: what it answers beside JSON, or instead of it. */
const files: Record<string, Content> = {
  getFile: result,
  getMediaImage: result,
  getProcessedImage: result,
  getImageOfJob: result,
  getTaskResult: result,
  getImageThumbnail: picture('WebP.'),
  samplePicture: picture('JPEG, PNG or WebP.'),
  getImageSource: {
    'application/octet-stream': { schema: { type: 'string', format: 'binary' }, example: '(bytes)' },
  },
  getOutputCsv: csv,
  getFailedCsv: csv,
  downloadCatalog: csv,
  sampleCatalog: csv,
  metrics: text('text/plain', 'darkroom_images_total{lane="bulk",outcome="succeeded"} 63340\n'),
  followEvents: text(
    'text/event-stream',
    'retry: 2000\n\nid: 48213\nevent: batch.deleted\ndata: {"id":"48213","type":"batch.deleted",…}\n\n',
  ),
};

/** The kinds of an answer: what its route has said, and the file. */
export function fileAnswer(operationId: string, content: Content | undefined): Content {
  return { ...content, ...files[operationId] };
}
