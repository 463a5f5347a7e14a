// Divides the text of a shell script into its statements, as a person would paste them: a line, or the lines of a function, of
// a string with line feeds, of a here-document, or of a command that goes on after a backslash. It is no parser: `bash -n` is.

const HEREDOC = /^<<-?\s*(['"]?)(\w+)\1/;

/** @returns each statement without its comment. A line that goes on after a backslash becomes one line. */
export function statementsOf(script: string): string[] {
  const statements: string[] = [];
  let text = '';
  let quote = '';
  let depth = 0;
  let heredocEnd: string | undefined;
  const end = () => {
    if (text.trim() !== '') statements.push(text.trim());
    text = '';
  };
  for (let at = 0; at < script.length; at++) {
    const char = script[at] ?? '';
    if (quote !== '') {
      text += char;
      if (char === '\\' && quote === '"') text += script[++at] ?? '';
      else if (char === quote) quote = '';
      continue;
    }
    if (char === '\\' && script[at + 1] === '\n') {
      at++;
      while (/[ \t]/.test(script[at + 1] ?? '')) at++;
      text = `${text.trimEnd()} `;
    } else if (char === '\\') {
      text += char + (script[++at] ?? '');
    } else if (char === '#' && /^$|\s$/.test(text)) {
      while (at + 1 < script.length && script[at + 1] !== '\n') at++;
      text = text.trimEnd();
    } else if (char === '\n') {
      if (heredocEnd !== undefined) {
        const ending = script.indexOf(`\n${heredocEnd}`, at);
        const stop = ending < 0 ? script.length : ending + 1 + heredocEnd.length;
        text += script.slice(at, stop);
        at = stop - 1;
        heredocEnd = undefined;
      } else if (depth === 0) end();
      else text += char;
    } else {
      const heredoc = HEREDOC.exec(script.slice(at, at + 40));
      if (heredoc !== null && script[at - 1] !== '<') heredocEnd = heredoc[2];
      if (char === '"' || char === "'") quote = char;
      if ('({'.includes(char)) depth++;
      if (')}'.includes(char)) depth = Math.max(0, depth - 1);
      text += char;
    }
  }
  end();
  return statements;
}
