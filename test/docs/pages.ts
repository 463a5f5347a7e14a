// The pages of the project, for tests of their links and commands. Finds them in the folders, so no page is forgotten.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// From dist/test/docs.
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Folders that hold nothing of the project itself. */
const OTHERS = new Set(['node_modules', 'dist', 'data', 'coverage', '.git', '.cache']);

/** @returns paths from the root whose name ends so, in all folders of the project */
export function filesOfProject(...endings: readonly string[]): string[] {
  return filesIn('').filter((path) => endings.some((ending) => path.endsWith(ending)));
}

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return OTHERS.has(entry.name) ? [] : filesIn(path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
}

export const PAGES: readonly string[] = filesOfProject('.md');

/** @param file from the root */
export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

export interface Fence {
  /** Of the line that opens it, from 1. */
  readonly line: number;
  /** Empty if the page does not say it. */
  readonly language: string;
  /** Without the indentation of the fence. */
  readonly text: string;
}

export interface Page {
  readonly fences: readonly Fence[];
  /** The lines outside of fences; those inside are empty. */
  readonly prose: readonly string[];
}

/** @throws Error if a fence has no end */
export function parsePage(text: string): Page {
  const fences: Fence[] = [];
  let open: { line: number; language: string; indent: number; ticks: string; lines: string[] } | undefined;
  const prose = text.split('\n').map((line, index) => {
    const [, indent = '', ticks, language = ''] = /^( *)(`{3,}|~{3,}) *([\w-]*)[^`]*$/.exec(line) ?? [];
    if (open === undefined) {
      if (ticks === undefined) return line;
      open = { line: index + 1, language, indent: indent.length, ticks, lines: [] };
    } else if (ticks?.startsWith(open.ticks) && language === '') {
      fences.push({ line: open.line, language: open.language, text: open.lines.join('\n') });
      open = undefined;
    } else {
      open.lines.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)));
    }
    return '';
  });
  if (open !== undefined) throw new Error(`the fence of line ${open.line} has no end`);
  return { fences, prose };
}
