// catalog.ts — the sample catalog: twelve lines that show everything a first run should show.
//
// Eleven pictures succeed, one file is no picture and one is missing, so the batch ends partially succeeded and the
// failures can be looked at. The pictures are drawn by scenes.ts and served under /static/samples.

/** One line: its product, and the files it names. */
type Line = { product: string; files: string[] };

export const sampleFolder = '/static/samples';

const lines: Line[] = [
  { product: 'Stoneware mug', files: ['01.jpg'] },
  { product: 'Oil bottle', files: ['02.jpg'] },
  { product: 'Gift box, front and back', files: ['03.jpg', '04.jpg'] },
  { product: 'Mountain lake, photograph', files: ['05.jpg'] },
  { product: 'Evening at sea, photograph', files: ['06.webp'] },
  { product: 'Round sticker, transparent', files: ['07.png'] },
  { product: 'Paper lantern, transparent', files: ['08.webp'] },
  { product: 'Portrait, camera held upright', files: ['09.jpg'] },
  { product: 'Wall print, 12 megapixels', files: ['10.jpg'] },
  { product: 'Button, very small', files: ['11.png'] },
  { product: 'File that is no picture', files: ['12.jpg'] },
  { product: 'Picture that is missing', files: ['13.jpg'] },
];

/** The one file of the catalog that is served and is no picture: what a shop's error page looks like to us. */
export const brokenSample = {
  name: '12.jpg',
  mediaType: 'text/plain',
  text: 'Sorry, this picture could not be found.\n',
};

/** The catalog as a CSV, its URLs below `publicUrl`. */
export function sampleCatalog(publicUrl: string): string {
  const rows = lines.map(({ product, files }, index) => {
    const urls = files.map((file) => `${publicUrl}${sampleFolder}/${file}`).join(',');
    return `${index + 1},${quoted(product)},${quoted(urls)}\r\n`;
  });
  return `S. No.,Product Name,Input Image Urls\r\n${rows.join('')}`;
}

/** No cell of ours holds a quote. */
const quoted = (cell: string): string => (cell.includes(',') ? `"${cell}"` : cell);
