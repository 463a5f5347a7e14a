// The token of the good devices, which they send in every attack, and the file that knows it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatEntry, hashOf } from '../../../src/tokens/token-file.ts';

export const GOOD_TOKEN = 'the token of the good devices';

/** A file in which only the good devices' token stands. The caller removes it. */
export function goodTokensFile(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-attack-'));
  const path = join(directory, 'tokens');
  writeFileSync(path, formatEntry({ hash: hashOf(GOOD_TOKEN).toString('hex'), ids: ['*'], name: 'good' }));
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
