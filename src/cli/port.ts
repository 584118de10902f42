// port.ts — finds out which process listens on a port, for a sentence that helps.
//
// Linux tells it in /proc: the tables of sockets name an inode, and each process shows the inodes it holds. Elsewhere, or
// where the process is somebody else's, it stays unknown.

import { readdir, readFile, readlink } from 'node:fs/promises';

const listening = '0A';

/** The id of the process that listens on `port`, undefined where it cannot be seen. */
export async function listenerOf(port: number): Promise<number | undefined> {
  const inodes = await socketsOn(port);
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const file of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
      if (inode && inodes.has(inode)) return Number(pid);
    }
  }
  return undefined;
}

async function socketsOn(port: number): Promise<Set<string>> {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const found = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local?.endsWith(ending) && state === listening && inode) found.add(inode);
    }
  }
  return found;
}
