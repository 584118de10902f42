// sweep-promises.ts — which files of the corpora must be accepted, which must not, and which valid ones we refuse and why.

/** Valid files, by their sets' own names. */
export function mustAccept(file: string): boolean {
  if (file.startsWith('pngsuite/')) return /tests_pngsuite_(?!x)/.test(file);
  if (file.startsWith('libgd-tests/'))
    return /_valid_.*\.(?:gif|webp|png|tiff?)$/.test(file) || /bmpsuite_good/.test(file);
  if (file.startsWith('sharp-fixtures/')) return !/\.(?:svg|v)$/.test(file);
  if (file.startsWith('webp-imagers/')) return true;
  return /^libavif-tests\/(?!.*poc_).*\.avif$/.test(file);
}

/** Files that are broken, or no pictures at all under a picture's name. */
export function mustRefuse(file: string): boolean {
  return /^pngsuite\/.*tests_pngsuite_x/.test(file) || /^(?:svg-xss-patt|upload-images-patt)\//.test(file);
}

type Refusal = { files: RegExp; code: string; reason: string };
const tiff = 'libgd-tests/tests_tiff_tiff-conformance_valid_';

const refused: readonly Refusal[] = [
  {
    files: new RegExp(`^${tiff}flower-(?:minisblack|rgb-contig|rgb-planar)-(?:04|06|10|12|14|24)\\.tif$`),
    code: 'unsupported_format',
    reason: 'samples of 4, 6, 10, 12, 14 or 24 bit, which libvips does not read',
  },
  {
    files: new RegExp(`^${tiff}gradient-1c-64b(?:-float)?\\.tiff$`),
    code: 'unsupported_format',
    reason: 'samples of 64 bit',
  },
  { files: new RegExp(`^${tiff}int16_zstd\\.tif$`), code: 'unsupported_format', reason: 'compressed with Zstd' },
  {
    files: new RegExp(`^${tiff}off_l16\\.tif$`),
    code: 'unsupported_format',
    reason: 'LogL, a colour space of its own',
  },
  {
    files: new RegExp(`^${tiff}(?:ojpeg_.*\\.tiff|smallliz\\.tif)$`),
    code: 'unsupported_format',
    reason: 'JPEG in TIFF as it was before 1995',
  },
  { files: new RegExp(`^${tiff}big_g4\\.tif$`), code: 'side_too_long', reason: '65,537 pixels high' },
  {
    files: /^libavif-tests\/tests_data_colors-animated-.*\.avif$/,
    code: 'unsupported_format',
    reason: 'a film without a still picture',
  },
];

/** Why a valid file is not read here; undefined for those that must be. */
export function reasonToRefuse(file: string, code: string): string | undefined {
  return refused.find((each) => each.files.test(file) && each.code === code)?.reason;
}
