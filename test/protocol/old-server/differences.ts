// What Sluice makes of the cases in another way than the Go server, by default and with TCP_COMPATIBILITY=go, and why. A case
// that is not listed has the same replies, end and records. Each reason stands in docs/from-the-go-server.md word for word.

/** What differs. A part that is the same is left out. */
export interface Difference {
  /** Sluice's replies: the code of an error, else the status. */
  readonly replies?: readonly string[];
  readonly isClosed?: boolean;
  /** The number of Sluice's records. */
  readonly records?: number;
  /** How records differ whose number is the same, see compare.ts. */
  readonly data?: readonly string[];
}

interface Listed {
  readonly why: readonly string[];
  readonly byDefault?: Difference;
  readonly go?: Difference;
}

const SAYS_WHY = 'Sluice answers each line that it refuses, and the connection goes on';
const MAY_TRY_AGAIN = 'the device may identify within 10 s';
const CODES = 'the error has a code';
const ANSWERS_FIRST = 'answers every line first, and takes a last line without LF';
const TAKES_MORE = 'Readings that only Sluice accepts';
const ABSENT = 'is missing';
const EXTRA = 'in the record';
const NULL = '`null`';
const DIGITS = 'digit for digit as sent';
const CASE = 'it took names in any case';
const LAST = 'took the last one';
const UTF8 = 'wrote U+FFFD in place of the byte';
const LONG = 'took up to 1 MiB';
const SLOW = 'waited for the rest of the line';
const PLACES = 'a zipcode has at most 64 characters, a city at most 256';
const CONTROLS = 'with a space in place of each control character';
const BOUNDED = 'the cost of a line is bounded';
const NESTED_NAMES = 'names within one object are different';
const NEW_NAMES = 'it knew none of these names';

const both = (why: readonly string[], difference: Difference): Listed => ({
  why,
  byDefault: difference,
  go: difference,
});
const says = (...replies: string[]) => both([SAYS_WHY], { replies });
const flat = (...data: string[]) =>
  both(
    data.map(
      (kind) => ({ absent: ABSENT, extra: EXTRA, null: NULL, digits: DIGITS, city: CONTROLS })[kind] ?? '',
    ),
    { data },
  );
/** Only by default. With `go` the records differ in `data`. */
const lost = (why: string, byDefault: Difference, ...data: string[]): Listed => ({
  why: [why, ...flat(...data).why],
  byDefault: { records: 0, ...byDefault },
  ...(data.length > 0 && { go: { data } }),
});
const refused = (code: string) => ({ replies: ['identified', code] });

export const DIFFERENCES: Readonly<Record<string, Listed>> = {
  'metrics only timestamp+temperature': flat('absent'),
  'metrics without timestamp': both([TAKES_MORE], { records: 1 }),
  'metrics string': both([TAKES_MORE], { records: 1 }),
  'extra scalar field in data': flat('absent', 'extra'),
  'nested object in data': flat('absent', 'extra'),
  'bad JSON then metrics': says('identified', 'invalid_json'),
  'bad JSON first, then identify+metrics': both([MAY_TRY_AGAIN], {
    replies: ['invalid_json', 'identified'],
    isClosed: false,
    records: 1,
  }),
  'unknown type then metrics': says('identified', 'invalid_message'),
  'metrics before identify': both([CODES], { replies: ['not_identified'] }),
  'keepalive before identify': both([CODES], { replies: ['not_identified'] }),
  'double identify (other zip) then metrics': says('identified', 'already_identified'),
  'empty line after identify': says('identified', 'invalid_json'),
  'empty line first': both([MAY_TRY_AGAIN], {
    replies: ['invalid_json', 'identified'],
    isClosed: false,
    records: 1,
  }),
  'line of 100 KB then metrics': lost(
    LONG,
    { replies: ['identified', 'line_too_long'], isClosed: true },
    'absent',
    'extra',
  ),
  'string value of 2000 chars in extra field': flat('absent', 'extra'),
  'half-close after metrics+keepalive': both([ANSWERS_FIRST], { replies: ['identified', 'alive'] }),
  'half-close, last line without LF': both([ANSWERS_FIRST], { records: 1 }),
  'zipcode a number': both([MAY_TRY_AGAIN], { replies: ['invalid_message', 'not_identified'] }),
  'city empty': both([MAY_TRY_AGAIN], { replies: ['invalid_message'], isClosed: false }),
  'capital keys': lost(CASE, { replies: ['invalid_message', 'invalid_message'] }),
  'key twice in data': lost(LAST, refused('invalid_message'), 'absent'),
  'invalid UTF-8 in data': lost(UTF8, refused('invalid_utf8'), 'absent'),
  'temperature as string': both([TAKES_MORE], { records: 1 }),
  'null fields': flat('absent', 'null'),
  'number forms': flat('absent', 'digits'),
  'data array': both([TAKES_MORE], { records: 2 }),
  BOM: both([MAY_TRY_AGAIN], { replies: ['invalid_json', 'not_identified'] }),
  silent: both([CODES], { replies: ['identify_timeout'] }),
  'two objects on one line': says('identified', 'invalid_json'),
  'metrics without data': says('identified', 'invalid_message'),
  'type missing / null': says('identified', 'invalid_message', 'invalid_message'),
  'zipcode K1A 0B1': flat('absent'),
  'zipcode with underscore': flat('absent'),
  'zipcode with quotes and Zürich': flat('absent'),
  'city with tab': flat('absent', 'city'),
  'city of 300 characters': both([PLACES], {
    replies: ['invalid_message', 'not_identified'],
    isClosed: true,
    records: 0,
  }),
  'zipcode of 65 characters': both([PLACES], {
    replies: ['invalid_message', 'not_identified'],
    isClosed: true,
    records: 0,
  }),
  'nested array in data': flat('absent', 'extra'),
  'data nested 17 deep': both([BOUNDED], { ...refused('invalid_message'), records: 0 }),
  '2000 fields in data': both([BOUNDED], { ...refused('invalid_message'), records: 0 }),
  '1000 fields in data': flat('absent', 'extra'),
  'capital keys in data': {
    why: [CASE, ABSENT, EXTRA],
    byDefault: { data: ['absent', 'extra'] },
    go: { data: ['absent'] },
  },
  'one key in two cases': {
    why: [CASE, ABSENT, EXTRA],
    byDefault: { data: ['absent', 'extra', 'value'] },
    go: { data: ['absent'] },
  },
  'Latin-1 in city': lost(UTF8, { replies: ['invalid_utf8', 'not_identified'], isClosed: true }, 'absent'),
  'line of 65 KB': lost(
    LONG,
    { replies: ['identified', 'line_too_long'], isClosed: true },
    'absent',
    'extra',
  ),
  'identify line of 9 KB': lost(LONG, { replies: ['line_too_long'], isClosed: true }, 'absent'),
  'line in parts over more than 30 s': lost(
    SLOW,
    { replies: ['identified', 'line_timeout'], isClosed: true },
    'absent',
  ),
  'name of 65 characters in data': both([BOUNDED], { ...refused('invalid_message'), records: 0 }),
  'key twice in a nested object': both([NESTED_NAMES], { ...refused('invalid_message'), records: 0 }),
  'unknown key twice in data': lost(LAST, refused('invalid_message'), 'absent', 'extra'),
  'key twice at the top level': lost(LAST, refused('invalid_message'), 'absent'),
  'tags that are no object': both([NEW_NAMES], {
    replies: ['invalid_message', 'not_identified'],
    isClosed: true,
    records: 0,
  }),
  'half of a surrogate pair': lost(UTF8, refused('invalid_message'), 'absent'),
};
