// router.ts — which page stands at which path. Pages other than the first are loaded when they are opened.

import { createRouter } from 'sv-router';
import Upload from './pages/Upload.svelte';

export const { p, navigate, route } = createRouter({
  '/': Upload,
  '/batches': () => import('./pages/Batches.svelte'),
  '/batches/:id': () => import('./pages/Batch.svelte'),
  '/images/:id': () => import('./pages/Image.svelte'),
  '/admin': () => import('./pages/Admin.svelte'),
  '/help': () => import('./pages/Help.svelte'),
  '/help/:topic': () => import('./pages/Help.svelte'),
  '*notfound': () => import('./pages/NotFound.svelte'),
});
