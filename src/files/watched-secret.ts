// A setting whose value may come from a file, and then changes with the file. A setting without a file never changes.
import { MAX_SECRET_BYTES, type SecretName, secretIn } from '../config/secret-file.ts';
import type { Settings } from '../config/settings.ts';
import { alsoHide } from '../log/hide-secrets.ts';
import type { FileWatch } from './file-watch.ts';

/** @param changed called after the value has changed */
export function watchSecret(
  name: SecretName,
  { settings, files, changed }: { settings: Settings; files: FileWatch; changed?: () => void },
): { readonly value: string | null } {
  const path = settings[`${name}_FILE`];
  const value = settings[name];
  if (path === null || value === null) return { value };
  return files.watch<string>({
    name: `${name}_FILE`,
    paths: [path],
    secrets: [{ name: `${name}_FILE`, path }],
    parse: (content = Buffer.alloc(0)) => {
      const secret = secretIn(content, name);
      alsoHide(secret);
      return secret;
    },
    maxBytes: MAX_SECRET_BYTES,
    // A server process starts again after a crash with the value that the first process has read.
    fallback: value,
    ...(changed !== undefined && { changed }),
  });
}
