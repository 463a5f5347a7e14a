// The form of the byte source that tests of the server use: plain TCP, or TLS. A file such as over-tls.slow.test.ts sets TLS and
// then runs the tests of other files, which need not know.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, type Identity } from './authority.ts';

let identity: Identity | undefined;

/** The tests that are imported from now on connect over TLS. */
export function testOverTls(): void {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-form-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  identity = new Authority(directory, 'form').sign('gateway');
}

/** The certificate of the server if the form is TLS. */
export function tlsForm(): Identity | undefined {
  return identity;
}
