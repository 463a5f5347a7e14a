// The device tokens of a process: the table of TCP_TOKENS_FILE, read again whenever the file changes.
import { MAX_TOKENS_BYTES } from '../check/tokens.ts';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { FileError } from '../config/file-content.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import type { WatchedFile, WatchedFileOptions } from '../files/watched-file.ts';
import { DeviceAccess } from '../server/device-access.ts';
import { parseTokens } from '../tokens/token-file.ts';
import { TokenTable } from '../tokens/token-table.ts';

type TokenSettings = Pick<Settings, 'TCP_TOKENS_FILE'>;

/** TCP_TOKENS_FILE cannot be used, so nobody could be checked. */
export class TokensUnusableError extends Error {
  readonly code = 'TOKENS_UNUSABLE';
  readonly exitCode = EXIT_SETTINGS;
}

/**
 * Every device may identify if tokens are off.
 * @param given a valid content, in use until the file is valid: a process that starts again must not need a valid file
 * @param changed called after another table has come into use
 * @throws TokensUnusableError
 */
export function tokenAccess(
  { TCP_TOKENS_FILE: path }: TokenSettings,
  { files, given, changed }: { files: FileWatch; given: string | null; changed: () => void },
): DeviceAccess {
  if (path === null) return new DeviceAccess();
  const fallback = given === null ? undefined : TokenTable.parse(Buffer.from(given));
  const file = watch(path, files, {
    parse: (content) => TokenTable.parse(content),
    changed,
    ...(fallback && { fallback }),
  });
  return new DeviceAccess(() => file.value);
}

/**
 * Returns a function for the latest valid content, null if tokens are off.
 * @throws TokensUnusableError
 */
export function tokensInUse({ TCP_TOKENS_FILE: path }: TokenSettings, files: FileWatch): () => string | null {
  if (path === null) return () => null;
  const file = watch(path, files, {
    parse: (content) => {
      parseTokens(content);
      return content.toString();
    },
  });
  return () => file.value;
}

function watch<T>(
  path: string,
  files: FileWatch,
  options: Pick<WatchedFileOptions<T>, 'parse' | 'changed' | 'fallback'>,
): WatchedFile<T> {
  try {
    return files.watch({
      ...options,
      name: 'TCP_TOKENS_FILE',
      paths: [path],
      secrets: [{ name: 'TCP_TOKENS_FILE', path }],
      maxBytes: MAX_TOKENS_BYTES,
    });
  } catch (error) {
    // Without the path, which may be a token that was pasted.
    const reason = error instanceof FileError ? error.reason : (error as Error).message;
    throw new TokensUnusableError(
      `TCP_TOKENS_FILE (value hidden) cannot be used: ${reason} (if there is no file yet, \`sluice token add\` makes it)`,
    );
  }
}
