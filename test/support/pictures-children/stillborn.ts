// stillborn.ts — a child that never gets ready.

process.exit(1);
