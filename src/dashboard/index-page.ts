// The HTML of the dashboard and its Content-Security-Policy. It has no inline script but the import map, whose hash the
// policy names, and nothing in it comes from a request or a device.
import { createHash } from 'node:crypto';

const IMPORTS = {
  preact: '/dashboard/lib/preact.mjs',
  'preact/hooks': '/dashboard/lib/hooks.mjs',
  'preact/jsx-runtime': '/dashboard/lib/jsx-runtime.mjs',
} as const;

const IMPORT_MAP = JSON.stringify({ imports: IMPORTS });

/** @param paths all scripts and styles; scripts are named in the head, so that the browser asks for all of them at once */
export function indexPage(paths: readonly string[]): { readonly html: string; readonly policy: string } {
  const modules = paths.filter((path) => /\/page\/.*\.js$|\.mjs$/.test(path));
  const styles = paths.filter((path) => path.endsWith('.css')).sort();
  return { html: htmlOf(modules, styles), policy: policy() };
}

function htmlOf(modules: readonly string[], styles: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice</title>
<link rel="icon" href="/dashboard/page/icon.svg" type="image/svg+xml">
${styles.map((path) => `<link rel="stylesheet" href="${path}">`).join('\n')}
<script type="importmap">${IMPORT_MAP}</script>
<script src="/dashboard/lib/uplot.js" defer></script>
${modules.map((path) => `<link rel="modulepreload" href="${path}">`).join('\n')}
<script type="module" src="/dashboard/page/main.js"></script>
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript. The same figures as JSON are at /stats.</noscript>
</body>
</html>
`;
}

function policy(): string {
  const hash = createHash('sha256').update(IMPORT_MAP).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
