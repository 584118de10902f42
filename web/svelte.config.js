// svelte.config.js — the compiler's settings; also read by svelte-check.

export default { compilerOptions: { runes: true } };
