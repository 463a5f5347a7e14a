// The keys that are pressed on a terminal, one by one. Sequences of keys that have no meaning here are passed over.

export type Key = 'enter' | 'escape' | 'backspace' | 'interrupt' | 'suspend' | { readonly character: string };

const NAMES: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x1b': 'escape',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x04': 'interrupt',
  '\x1a': 'suspend',
};

/** Arrows, function keys, pasted text in brackets. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send them
const TOKENS = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO[ -~]|\x1b[ -~]|[\s\S]/gu;

function keysIn(text: string): Key[] {
  return [...text.matchAll(TOKENS)].flatMap(([token]) => {
    const named = NAMES[token];
    if (named !== undefined) return [named];
    return token.length > 2 || /\p{C}/u.test(token) ? [] : [{ character: token }];
  });
}

/** Raw mode: keys come at once, and Ctrl-C as a key. @returns the way back */
export function readKeys(input: NodeJS.ReadStream, { pressed, gone }: KeyEvents): () => void {
  const onData = (text: string) => {
    for (const key of keysIn(text)) pressed(key);
  };
  input.setEncoding('utf8').setRawMode(true);
  input.on('data', onData).once('end', gone).once('error', gone).resume();
  return () => {
    input.off('data', onData).off('end', gone).off('error', gone);
    // A later error of a terminal that is gone concerns nobody.
    input.on('error', () => {});
    if (!input.destroyed) input.setRawMode(false).pause();
  };
}

export interface KeyEvents {
  readonly pressed: (key: Key) => void;
  /** The terminal is closed. */
  readonly gone: () => void;
}
