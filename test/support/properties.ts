// properties.ts — fast-check with a fixed seed, so that a change is judged by the same inputs wherever it is tested.
//
// `DARKROOM_TEST_SEED=random` looks for new inputs, and a number repeats a run of them.

import * as fc from 'fast-check';

const asked = process.env.DARKROOM_TEST_SEED;
if (asked !== 'random') fc.configureGlobal({ seed: Number(asked ?? 8315) });

export { fc };
