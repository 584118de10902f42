// drop.ts — the files in what was dropped or pasted, folders walked through.

/** All files of a drop. A browser hands out a folder's entries a hundred at a time. */
export async function filesOf(data: DataTransfer): Promise<File[]> {
  // The list is emptied as soon as this turn ends: entries are taken before anything is awaited.
  const entries = [...data.items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry ? [entry] : [];
  });
  if (entries.length === 0) return [...data.files];
  const found = await Promise.all(entries.map(filesBelow));
  return found.flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) return [await new Promise<File>((resolve, reject) => entry.file(resolve, reject))];
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const found: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const each of some) found.push(...(await filesBelow(each)));
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

/** The URLs in a text, one a line; undefined when there are none. */
export function urlsOf(text: string): string[] | undefined {
  const lines = text.split(/\s+/).filter((line) => line !== '');
  return lines.length > 0 && lines.every(isWebUrl) ? lines : undefined;
}

export function isWebUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}
