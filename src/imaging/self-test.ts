// self-test.ts — what a child proves before it takes work: every format is read, and nothing else is.

import type { OpenSharp } from './draw.ts';

// 1x1 pictures, as small as each format can be written.
const pictures: Readonly<Record<string, string>> = {
  png: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVQImWP4//8/AAX+Av5Y8msOAAAAAElFTkSuQmCC',
  webp: 'UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEADMDOJaQAA3AA/uuuAAA=',
  gif: 'R0lGODlhAQABAIAAAExpcf///yH5BAUAAAAALAAAAAABAAEAAAICTAEAOw==',
  tiff:
    'SUkqAAoAAAD/AA8AAAEDAAEAAAABAAAAAQEDAAEAAAABAAAAAgEDAAEAAAAIAAAAAwEDAAEAAAABAAAABgEDAAEAAAABAAAAEQEEAAEAAAAIAA' +
    'AAEgEDAAEAAAABAAAAFQEDAAEAAAABAAAAFgEDAAEAAAAAAQAAFwEEAAEAAAABAAAAGgEFAAEAAADEAAAAGwEFAAEAAADMAAAAHAEDAAEAAAAB' +
    'AAAAKAEDAAEAAAACAAAAUwEDAAEAAAABAAAAAAAAADMzywAAAAgAMzPLAAAACAA=',
  heif:
    'AAAAHGZ0eXBhdmlmAAAAAG1pZjFhdmlmbWlhZgAAANZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA' +
    'AAAERAAAEAAQAAAAAA+gABAAAAAAAAABwAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABhdjAxAAAAAA5waXRtAAAAAAABAAAAVmlwcnAA' +
    'AAA4aXBjbwAAAAxhdjFDgSACAAAAABRpc3BlAAAAAAAAAAEAAAABAAAAEHBpeGkAAAAAAwgICAAAABZpcG1hAAAAAAAAAAEAAQOBAgMAAAAkbW' +
    'RhdBIACgc4AAaQENBpMg8f8mKE4AAWAACQNY48fWQ=',
  jpeg:
    '/9j/2wBDAP//////////////////////////////////////////////////////////////////////////////////////2wBDAf////////' +
    '//////////////////////////////////////////////////////////////////////////////wAARCAABAAEDASIAAhEBAxEB/8QAFQAB' +
    'AQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFAEBAAAAAAAAAAAAAAAAAAAAAP/EABQRAQAAAAAAAAAAAAAAAAAAAA' +
    'D/2gAMAwEAAhEDEQA/AKAA/9k=',
};

/** Opens a tiny file of each format, and sees an SVG refused. Throws when the build is not as expected. */
export async function testYourself(open: OpenSharp): Promise<void> {
  for (const [format, base64] of Object.entries(pictures)) {
    const found = await open(Buffer.from(base64, 'base64'), {}).metadata();
    if (found.format !== format) throw new Error(`a tiny ${format} was read as ${found.format}`);
  }
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>');
  const refused = await open(svg, {})
    .metadata()
    .then(
      () => false,
      () => true,
    );
  if (!refused) throw new Error('an SVG was not refused');
}
