// How the page is built. The server's Content-Security-Policy allows no inline script, style or data: address, so nothing is inlined; the same
// sources give the same bytes, because dist/ is kept in the repository and `./dev lint` compares.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
});
