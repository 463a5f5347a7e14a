// Finds secrets in a .env file that dotenv would cut off at a `#`, so that nobody works with a shorter password than he
// has written. It shows no value.

/** The grammar of dotenv 18 for one assignment, with groups for the value, the space behind it and the remark. */
const ASSIGNMENT =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?(\s*)(#.*)?$/gm;

const QUOTED = /^(['"`])(?:\\\1|(?!\1)[\s\S])*\1$/;

/** The names of those secrets, each with its line. @param text the content of the file */
export function cutOffSecrets(
  text: string,
  isSecret: (name: string) => boolean,
): readonly { readonly name: string; readonly line: number }[] {
  const lines = text.replace(/\r\n?/g, '\n');
  return [...lines.matchAll(ASSIGNMENT)].flatMap((match) => {
    const [whole, name = '', value = '', space = '', remark] = match;
    // Without a value, the grammar may take a remark on a later line.
    if (remark === undefined || space.includes('\n') || !isSecret(name)) return [];
    const isQuoted = QUOTED.test(value.trim());
    const isApart = space !== '' || value !== value.trimEnd();
    if (isQuoted && isApart) return [];
    const at = match.index + whole.indexOf(name);
    return [{ name, line: lines.slice(0, at).split('\n').length }];
  });
}
