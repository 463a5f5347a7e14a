// Judges the content of TCP_TOKENS_FILE. It never shows a path or a line of it, which may be a token.
import { contentSync, FileError } from '../config/file-content.ts';
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';
import { parseTokens } from '../tokens/token-file.ts';

/** Room for 100,000 tokens and more. */
export const MAX_TOKENS_BYTES = 16 * 2 ** 20;
/** A line that is neither empty nor a comment. */
const TOKEN_LINE = /^[ \t]*[^#\s]/m;

export function judgeTokens({ TCP_TOKENS_FILE: path }: Settings, log: Log): void {
  if (path === null) return;
  const content = contentOf(path);
  if (typeof content !== 'string' && !TOKEN_LINE.test(content.toString('latin1')))
    log.write('tokens_file_empty');
}

/** @returns the number of tokens, or the reason why the file cannot be used */
export function tokensIn(path: string): number | string {
  const content = contentOf(path);
  if (typeof content === 'string') return content;
  try {
    return parseTokens(content).size;
  } catch (error) {
    return (error as Error).message;
  }
}

function contentOf(path: string): Buffer | string {
  try {
    return contentSync(path, MAX_TOKENS_BYTES);
  } catch (error) {
    if (error instanceof FileError) return error.reason;
    throw error;
  }
}
