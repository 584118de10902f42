// late.ts — a child that takes its time to get ready.

setTimeout(() => {}, 25_000);
