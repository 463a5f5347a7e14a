// Finds lines of a .env file that name a setting and that dotenv passes over without a word. It shows no value.

const LINE = /^\s*(?:export\s+)?(?:[-*]\s+)?([A-Z_]+)(?=\s|$)(?!\s*[=:])/;

/** @param text the content of the file */
export function namesWithoutEquals(
  text: string,
  names: readonly string[],
): readonly { readonly name: string; readonly line: number }[] {
  return text.split(/\r\n?|\n/).flatMap((content, index) => {
    const name = LINE.exec(content)?.[1];
    return name !== undefined && names.includes(name) ? [{ name, line: index + 1 }] : [];
  });
}
