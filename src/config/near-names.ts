// Finds the settings whose names are close to a name that is none: slips of the fingers, and names of which some words are
// right. It proposes nothing if nothing is near.
import { distance } from 'fastest-levenshtein';

/** Edits between a name and the setting that its writer meant. A swap of two letters is two. */
const MAX_EDITS = 2;
const MAX_PROPOSALS = 3;

/** Words for the same thing that other programs use. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  BOOTSTRAP: ['BROKERS'],
  SERVERS: ['BROKERS'],
  IDLE: ['INACTIVITY'],
  ADDR: ['HOST'],
  ADDRESS: ['HOST'],
  BIND: ['HOST'],
  PATH: ['DIR'],
  FOLDER: ['DIR'],
  DLQ: ['DEAD', 'LETTERS'],
  TLS: ['SSL'],
  SSL: ['TLS'],
  LIMIT: ['MAX'],
  SECURITY: ['SSL'],
};

/** Of the names those that are nearest, or none. All of them begin as `name` does, up to the first `_`, but for a slip. */
export function nearest<Name extends string>(name: string, names: readonly Name[]): Name[] {
  const wanted = name.toUpperCase();
  const scored = names.flatMap((other) => {
    const score = scoreOf(wanted, other);
    return score === undefined ? [] : [{ other, score }];
  });
  const best = Math.min(...scored.map(({ score }) => score));
  return scored
    .filter(({ score }) => score === best)
    .map(({ other }) => other)
    .slice(0, MAX_PROPOSALS);
}

/** Letters at the beginning that make a name with two wrong ones still likely. */
const SURE_START = 5;

/**
 * True for the same name in small letters, one letter more, less or another one, or two that have changed places. If the
 * beginnings are the same, two letters may be wrong.
 */
export function isSlipOf(setting: string, written: string): boolean {
  const name = written.toUpperCase();
  if (Math.abs(setting.length - name.length) > MAX_EDITS) return false;
  const edits = distance(setting, name);
  if (edits !== 2) return edits < 2;
  return setting.slice(0, SURE_START) === name.slice(0, SURE_START) || isSwap(setting, name);
}

/** Of names with two edits between them: the first two letters that differ have changed places. */
function isSwap(setting: string, name: string): boolean {
  const at = [...setting].findIndex((letter, index) => letter !== name[index]);
  return setting[at] === name[at + 1] && setting[at + 1] === name[at];
}

/** The lower the nearer; undefined if they have nothing to do with each other. */
function scoreOf(name: string, other: string): number | undefined {
  const edits = distance(name, other);
  // Below the score of any name that is only similar by its words. A swap of two letters is one slip.
  if (edits <= MAX_EDITS) return (edits === 2 && isSwap(other, name) ? 1 : edits) - 2 * MAX_EDITS;
  const [family, ...words] = name.split('_');
  const [otherFamily, ...otherWords] = other.split('_');
  if (family !== otherFamily) return undefined;
  const extra = words.filter((word) => !otherWords.some((one) => meansSame(word, one))).length;
  const missing = otherWords.filter((one) => !words.some((word) => meansSame(word, one))).length;
  // All of its words are right, or it is the name of a setting with one word more.
  const isNear = extra === 0 || (extra === 1 && missing === 0);
  return isNear ? 2 * extra + missing : undefined;
}

function meansSame(word: string, other: string): boolean {
  if (word === other || SYNONYMS[word]?.includes(other)) return true;
  const [shorter, longer] = word.length < other.length ? [word, other] : [other, word];
  if (shorter.length < 3) return false;
  // CONN for CONNECTIONS, DIRECTORY for DIR.
  if (longer.startsWith(shorter)) return true;
  return shorter.length > 3 && distance(word, other) <= (shorter.length > 5 ? 2 : 1);
}
