// The files that a browser loads for the dashboard.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { staticFiles } from '../../src/dashboard/static-files.ts';

const files = await staticFiles();
const html = files.get('/')?.body.toString() ?? '';

describe('the files of the dashboard', () => {
  it('are all that the page names, and nothing comes from elsewhere', () => {
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    const { imports } = JSON.parse(/<script type="importmap">(.*)<\/script>/.exec(html)?.[1] ?? '') as {
      imports: Record<string, string>;
    };
    for (const path of [...named, ...Object.values(imports)]) assert.ok(files.has(path), path);
    assert.ok(named.includes('/dashboard/page/main.js'));
  });

  it('are imported under names that a browser finds', () => {
    const known = ['preact', 'preact/hooks', 'preact/jsx-runtime'];
    for (const [path, { body }] of files) {
      if (!path.endsWith('.js') || path.includes('/lib/')) continue;
      for (const [, name = ''] of body.toString().matchAll(/from '([^']+)'/g)) {
        const isFile = name.startsWith('.') && files.has(new URL(name, `http://host${path}`).pathname);
        assert.ok(known.includes(name) || isFile, `${path}: ${name}`);
      }
    }
  });

  it('have no script or style in the page but the import map, which the policy names by its hash', () => {
    const policy = files.get('/')?.headers['Content-Security-Policy'] ?? '';
    const inline = [...html.matchAll(/<script[^>]*>([^<]+)<\/script>/g)].map(([, text = '']) => text);
    assert.equal(inline.length, 1);
    assert.ok(
      policy.includes(
        `'sha256-${createHash('sha256')
          .update(inline[0] ?? '')
          .digest('base64')}'`,
      ),
    );
    assert.doesNotMatch(html, /<style| style=| on\w+=/);
    assert.doesNotMatch(policy, /unsafe|\*|http|data:/);
    assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/);
  });

  it('are small: libraries of 35 kB and all together 70 kB, compressed', () => {
    const size = (part: string) =>
      [...files]
        .filter(([path]) => path.includes(part))
        .reduce((sum, [, { gzipped }]) => sum + gzipped.length, 0);
    assert.ok(size('/lib/') < 35_000, `${size('/lib/')}`);
    assert.ok(size('/') < 70_000, `${size('/')}`);
  });

  it('are the same compressed, and have an ETag of their content', () => {
    for (const { body, gzipped, etag } of files.values()) {
      assert.deepEqual(gunzipSync(gzipped), body);
      assert.match(etag, /^"[\w-]{22}"$/);
    }
    assert.equal(new Set([...files.values()].map(({ etag }) => etag)).size, files.size);
  });

  it('make no HTML out of text', () => {
    for (const [path, { body }] of files)
      if (path.startsWith('/dashboard/page/'))
        assert.doesNotMatch(
          body.toString(),
          /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|\beval\b/,
          path,
        );
  });
});
