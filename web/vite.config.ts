// vite.config.ts — how the page is built: into web/dist, every file but index.html with its hash in the name.

import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

/** What the server answers by itself; everything else in development is the page. */
const api =
  '^/(v1|api|ws|media|docs|redoc|openapi\\.json|health|livez|readyz|metrics|static|upload|status|download|image_process|processed_images|app)(/|$|\\?)';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [tailwindcss(), svelte()],
  // Everything comes from our own files: the policy of the page allows no data: scripts or styles.
  build: { target: 'es2023', cssTarget: ['chrome123', 'firefox120', 'safari17.5'], assetsInlineLimit: 0 },
  server: { port: 5173, proxy: { [api]: { target: 'http://127.0.0.1:8000', ws: true } } },
});
