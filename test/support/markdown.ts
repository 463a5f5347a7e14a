// Headings of Markdown pages, for tests of links.

/** The anchors that GitHub gives the headings of a page. @param page its text */
export function anchorsOf(page: string): string[] {
  const counts = new Map<string, number>();
  // A line with `#` in a fence is a comment of a shell or of a configuration.
  const text = page.replace(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2 *$/gm, '');
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      // The address of a link is not in the anchor.
      .replace(/\]\([^)]*\)/g, ']')
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const before = counts.get(anchor) ?? 0;
    counts.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}
