// Replaces one generated section of a page that is otherwise written by hand. The section lies between two marker lines;
// everything outside of them stays as it is.
//
// <!-- NAME: begin -->
// ...
// <!-- NAME: end -->
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The page's markers are missing, doubled or in the wrong order. Nothing was written. */
export class SectionError extends Error {
  readonly code = 'SECTION';
}

export interface Page {
  readonly file: string;
  /** The title of the page, if it has to be created. */
  readonly heading: string;
}

/** Writes the section into the page and creates the page if it is missing. Rejects with SectionError. */
export async function writeSection(page: Page, name: string, body: string): Promise<void> {
  const text = await readFile(page.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return `# ${page.heading}\n`;
  });
  const replaced = withSection(text, name, body);
  await mkdir(dirname(page.file), { recursive: true });
  await writeFile(page.file, replaced);
}

/** The text with `body` between the markers. If there are no markers, they are added at the end. @throws SectionError */
export function withSection(text: string, name: string, body: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const section = `${begin}\n${body.trim()}\n${end}`;
  const [begins, ends] = [placesOf(text, begin), placesOf(text, end)];
  const [from, to] = [begins[0], ends[0]];
  if (from === undefined && to === undefined) return `${text.trimEnd()}\n\n${section}\n`.trimStart();
  if (begins.length !== 1 || ends.length !== 1 || from === undefined || to === undefined || to < from)
    throw new SectionError(`the markers of ${name} are not one ${begin} and then one ${end}`);
  return text.slice(0, from) + section + text.slice(to + end.length);
}

/** Only whole lines count: a page may mention a marker in a sentence. */
function placesOf(text: string, marker: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + 1)) {
    const [before, after] = [text[at - 1] ?? '\n', text[at + marker.length] ?? '\n'];
    if (before === '\n' && (after === '\n' || after === '\r')) places.push(at);
  }
  return places;
}
