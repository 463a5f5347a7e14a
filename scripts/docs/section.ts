// One section of a page that several commands write to: what lies between a command's two marker lines is its own,
// everything else is left as it is.
//
// <!-- NAME: begin -->
// ...
// <!-- NAME: end -->
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The page's markers are not what they should be; nothing was written. The text is for people. */
export class SectionError extends Error {
  readonly code = 'SECTION';
}

export interface Page {
  readonly file: string;
  /** What a page that is not there yet begins with. */
  readonly heading: string;
}

/** Writes the section into the page, which is made where it is missing. Rejects with SectionError. */
export async function writeSection(page: Page, name: string, body: string): Promise<void> {
  const text = await readFile(page.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return `# ${page.heading}\n`;
  });
  const replaced = withSection(text, name, body);
  await mkdir(dirname(page.file), { recursive: true });
  await writeFile(page.file, replaced);
}

/** The text with `body` between the markers; at the end, with new markers, where it has none. Throws SectionError. */
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

/** Only whole lines are markers: a page may speak of them. */
function placesOf(text: string, marker: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + 1)) {
    const [before, after] = [text[at - 1] ?? '\n', text[at + marker.length] ?? '\n'];
    if (before === '\n' && (after === '\n' || after === '\r')) places.push(at);
  }
  return places;
}
