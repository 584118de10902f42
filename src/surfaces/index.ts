// index.ts — the list of surfaces: one line, one dialect.

import { catalog } from './catalog.ts';
import { health } from './health.ts';
import { imageProcess } from './image-process.ts';
import { images } from './images.ts';
import { metrics } from './metrics.ts';
import { native } from './native/index.ts';
import { samples } from './samples.ts';
import type { Surface } from './surface.ts';
import { tasks } from './tasks.ts';
import { uploads } from './uploads.ts';

export const surfaces: readonly Surface[] = [
  native,
  uploads,
  imageProcess,
  catalog,
  images,
  tasks,
  health,
  metrics,
  samples,
];
