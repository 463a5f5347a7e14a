// Which files of the project reach the build: the rules of .dockerignore, of which the last one that fits a path wins.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

interface Rule {
  readonly pattern: RegExp;
  readonly isException: boolean;
}

/** Paths of all files under `root` that `.dockerignore` with this text lets through. */
export function contextFiles(root: string, text: string): string[] {
  const rules = rulesOf(text);
  const files: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      // Neither can have a file that the build may see, and both are large.
      if (path === '.git' || path === 'node_modules') continue;
      if (entry.isDirectory()) visit(path);
      else if (!isIgnored(path, rules)) files.push(path);
    }
  };
  visit('');
  return files.sort();
}

function rulesOf(text: string): Rule[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!');
      const path = (isException ? line.slice(1) : line).replace(/^\/|\/$/g, '');
      if (/[[\]\\]/.test(path)) throw new Error(`.dockerignore: this rule is not known here: ${line}`);
      const pattern = path
        .replace(/[.+^${}()|]/g, '\\$&')
        .replaceAll('?', '[^/]')
        .replaceAll('**/', '\0')
        .replaceAll('*', '[^/]*')
        .replaceAll('\0', '(?:.*/)?');
      return { isException, pattern: new RegExp(`^${pattern}$`) };
    });
}

/** A rule fits a path if it fits the path or one of the folders above it. */
function isIgnored(path: string, rules: readonly Rule[]): boolean {
  const parts = path.split('/');
  const above = parts.map((_, count) => parts.slice(0, count + 1).join('/'));
  const last = rules.findLast(({ pattern }) => above.some((one) => pattern.test(one)));
  return last !== undefined && !last.isException;
}
