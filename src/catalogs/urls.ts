// urls.ts — the URLs in one cell: where they part, which of them can be fetched, what stood between them.
//
// A comma belongs to a URL (`…/w_300,h_200/a.jpg`) unless something that begins like a URL follows. Blanks are ASCII here:
// the survey splits bytes that are not decoded yet and must count what the second reading counts. Everything is linear in
// the length of the cell: a regular expression for the same rule takes minutes over 64 kB of blanks.

type Found = { start: number; end: number };

const maxUrlLength = 2048;

/** The texts of a URL cell in order, duplicates kept. */
export function splitUrls(cell: string): string[] {
  if (cell === '') return [];
  return partsOf(cell).map(({ start, end }) => cell.slice(start, end));
}

/** What stands between the first two URLs of a cell, for joining their results in the customer's way. */
export function separatorOf(cell: string): string {
  const [first, second] = partsOf(cell);
  if (!first || !second) return ',';
  const [separator] = /^[ \t]*(?:\r\n|[,;|\n\r])[ \t]*/.exec(cell.slice(first.end, second.start)) ?? [];
  return separator ?? ',';
}

/** What will be fetched for a text: scheme added, blanks as %20. Undefined when it can never be fetched. */
export function judgeUrl(text: string): string | undefined {
  const trimmed = text.trim();
  const schemed = trimmed.startsWith('//') ? `https:${trimmed}` : addScheme(trimmed);
  const url = schemed.includes(' ') ? schemed.replaceAll(' ', '%20') : schemed;
  if (url.length > maxUrlLength || !URL.canParse(url)) return undefined;
  // The WHATWG parser forgives what we do not: control characters, backslashes, `http:/host`, credentials.
  if (!/^https?:\/\/[^/?#@]+(?:[/?#]|$)/i.test(url) || /[^!-[\]-~\u0080-\uffff]/.test(url)) return undefined;
  return url;
}

function addScheme(text: string): string {
  return /^www\./i.test(text) ? `https://${text}` : text;
}

function partsOf(cell: string): Found[] {
  const parts: Found[] = [];
  let start = 0;
  for (const cut of [...cutsOf(cell), cell.length]) {
    let from = start;
    let to = cut;
    while (from < to && isPadding(cell.charCodeAt(from))) from++;
    while (to > from && isPadding(cell.charCodeAt(to - 1))) to--;
    if (from < to) parts.push({ start: from, end: to });
    start = cut;
  }
  return parts;
}

/** Where in the cell a URL begins after a separator. */
function cutsOf(cell: string): number[] {
  const cuts: number[] = [];
  for (let at = cell.indexOf('//'); at !== -1; at = cell.indexOf('//', at + 2)) {
    const start = schemeStart(cell, at);
    if (start > 0 && isSeparated(cell, start, at)) cuts.push(start);
  }
  if (!/www\./i.test(cell)) return cuts;
  for (const { index } of cell.matchAll(/www\./gi)) if (index > 0 && isSeparated(cell, index, index)) cuts.push(index);
  return cuts.toSorted((one, other) => one - other);
}

/** Walks back over `https:` before the slashes at `slashes`. */
function schemeStart(cell: string, slashes: number): number {
  if (cell[slashes - 1] !== ':') return slashes;
  let start = slashes - 1;
  while (start > 0 && isOfScheme(cell.charCodeAt(start - 1))) start--;
  return isLetter(cell.charCodeAt(start)) ? start : slashes;
}

/** True when a separator stands before `start`, or blanks alone where `http(s):` begins. */
function isSeparated(cell: string, start: number, slashes: number): boolean {
  let at = start - 1;
  for (; at >= 0 && isBlank(cell.charCodeAt(at)); at--) {
    if (cell[at] === '\n' || cell[at] === '\r') return true;
  }
  if (at >= 0 && isPadding(cell.charCodeAt(at))) return true;
  return at < start - 1 && /^https?:$/i.test(cell.slice(start, slashes));
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** Blanks and the separators `,` `;` `|`. */
function isPadding(code: number): boolean {
  return isBlank(code) || code === 44 || code === 59 || code === 124;
}

function isOfScheme(code: number): boolean {
  return isLetter(code) || (code >= 48 && code <= 57) || code === 43 || code === 45 || code === 46;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}
