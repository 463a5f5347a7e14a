// Makes text from outside harmless to a terminal, a log line and an error message. Owns the list of characters that
// could forge a line, a colour or a reading direction. It escapes these characters and never drops any.

// Control characters C0, DEL and C1; line and paragraph separators; bidirectional marks, embeddings, isolates
// (Unicode TR 9); zero-width characters and the BOM, which hide a difference between two names; lone surrogates.
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this list is of control characters
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu;

/** Terminals draw each mark over the same character, and so over the lines around. No language piles up so many. */
const PILED = /(?<=\p{Mark}{8})\p{Mark}/gu;

/** Every unsafe character, and every mark of a pile, as its `\uXXXX` escape; the rest as it is. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped).replace(PILED, escaped);
}

/** Two escapes for a character outside of the BMP, as in JSON. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16);
    return `\\u${unit.padStart(4, '0')}`;
  }).join('');
}

/** Text in double quotes, unsafe characters escaped, cut at `limit` characters so that one value cannot fill a screen. */
export function quoted(text: string, limit = 100): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return `"${printable(cut)}"`;
}
