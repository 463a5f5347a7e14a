// Parses the list of fields that every reading must have (TCP_REQUIRE), and says in words which entry is wrong.
import { type Kind, kind } from './kinds.ts';
import { quoted } from './printable.ts';

const TYPES = ['number', 'string', 'time'] as const;
const MAX_FIELDS = 32;
/** The names that a reading may have (docs/protocol.md), but for the comma, which divides entries. */
const NAME = /^[^\p{Cc}\p{Cs},]{1,64}$/u;

interface Field {
  readonly name: string;
  readonly type: (typeof TYPES)[number];
}

type Entry = Field | { readonly problem: string };

/** Empty text is an empty list. */
export function requiredList(): Kind<readonly Field[]> {
  const allowed = `a list of up to ${MAX_FIELDS} name:type, separated by commas, each name once, with the types ${TYPES.join(', ')}, or empty`;
  return kind(allowed, (text) => {
    const entries = entriesIn(text);
    const fields = entries.filter((entry): entry is Field => !('problem' in entry));
    return fields.length === entries.length && problemOf(fields) === undefined ? fields : undefined;
  });
}

/** The mistake in words, undefined if there is none. */
export function requiredHint(text: string): string | undefined {
  const entries = entriesIn(text);
  for (const entry of entries) if ('problem' in entry) return entry.problem;
  return problemOf(entries as Field[]);
}

function entriesIn(text: string): Entry[] {
  if (text === '') return [];
  return text.split(',').map((entry) => {
    // The last colon: a name may hold some.
    const colon = entry.lastIndexOf(':');
    const name = entry.slice(0, Math.max(0, colon)).trim();
    const word = entry.slice(colon + 1).trim();
    const type = TYPES.find((one) => one === word.toLowerCase());
    if (entry.trim() === '') return { problem: 'there is a comma too many' };
    if (colon < 0) return { problem: `${quoted(entry.trim())} has no type: write name:type` };
    if (type === undefined) return { problem: `${quoted(word)} is no type; there are ${TYPES.join(', ')}` };
    if (!NAME.test(name))
      return { problem: `${quoted(name)} is no name: names have 1-64 characters, no control characters` };
    return { name, type };
  });
}

function problemOf(fields: readonly Field[]): string | undefined {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) return `${quoted(name)} is there twice`;
    seen.add(name);
  }
  return fields.length > MAX_FIELDS ? `there are ${fields.length} fields` : undefined;
}
