// Looks at a line as text for what a schema cannot see, because a parser has dropped it: equal names, the digits of numbers, and
// the depth and number of members over all levels. It shares no code with the gateway.

export interface RawFacts {
  /** A name comes twice in an object that the protocol looks at. */
  isTwice: boolean;
  /** In a text of pairs. */
  hasTwicePair: boolean;
  /** A reading is a text of pairs. */
  hasPairs: boolean;
  /** Of a reading. */
  depth: number;
  /** Half of a surrogate pair, in a text that the protocol looks at. */
  hasHalf: boolean;
  /** The most in one reading. */
  members: number;
  longestNumber: number;
  longestTagNumber: number;
  /** As written. Undefined if there is none. */
  seq: string | undefined;
  /** Of the tags as records have them. */
  tagsBytes: number;
}

interface Member {
  readonly name: string;
  /** As written. */
  readonly text: string;
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /[^\s,\]}]+/y;

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

function skipString(text: string, at: number): number {
  let p = at + 1;
  while (text[p] !== '"') p += text[p] === '\\' ? 2 : 1;
  return p + 1;
}

/** The end of a value of valid JSON, at any depth. */
function skipValue(text: string, at: number): number {
  if (text[at] === '"') return skipString(text, at);
  if (text[at] !== '{' && text[at] !== '[') {
    SCALAR.lastIndex = at;
    SCALAR.exec(text);
    return SCALAR.lastIndex;
  }
  let depth = 0;
  let p = at;
  do {
    const c = text[p];
    if (c === '"') {
      p = skipString(text, p);
      continue;
    }
    if (c === '{' || c === '[') depth++;
    if (c === '}' || c === ']') depth--;
    p++;
  } while (depth > 0);
  return p;
}

/** The members of an object, or the elements of an array with empty names. @param text valid JSON */
function membersOf(text: string): Member[] {
  const isObject = text[0] === '{';
  const members: Member[] = [];
  let p = skipSpace(text, 1);
  while (text[p] !== '}' && text[p] !== ']') {
    let name = '';
    if (isObject) {
      const end = skipString(text, p);
      name = JSON.parse(text.slice(p, end)) as string;
      p = skipSpace(text, skipSpace(text, end) + 1);
    }
    const end = skipValue(text, p);
    members.push({ name, text: text.slice(p, end) });
    p = skipSpace(text, end);
    if (text[p] === ',') p = skipSpace(text, p + 1);
  }
  return members;
}

const hasTwice = (members: readonly Member[]) =>
  new Set(members.map(({ name }) => name)).size < members.length;

/** The value is a text with half of a surrogate pair. */
const isHalved = (value: string) => value.startsWith('"') && !(JSON.parse(value) as string).isWellFormed();

/** @param line one JSON object @param type of the message */
export function rawFacts(line: string, type: string): RawFacts {
  const top = membersOf(line.trim());
  const field = (name: string) => top.find((member) => member.name === name)?.text;
  const facts: RawFacts = {
    isTwice: hasTwice(top),
    hasTwicePair: false,
    hasPairs: false,
    depth: 0,
    hasHalf: false,
    members: 0,
    longestNumber: 0,
    longestTagNumber: 0,
    seq: type === 'metrics' ? field('seq') : undefined,
    tagsBytes: 0,
  };
  if (type === 'metrics') lookAtData(field('data') ?? '', facts);
  if (type === 'identify') {
    lookAtTags(field('tags') ?? '', facts);
    for (const name of ['zipcode', 'city']) facts.hasHalf ||= isHalved(field(name) ?? '');
  }
  return facts;
}

function lookAtData(data: string, facts: RawFacts): void {
  for (const reading of data.startsWith('[') ? membersOf(data).map(({ text }) => text) : [data])
    if (reading.startsWith('{')) facts.members = Math.max(facts.members, lookAt(reading, 1, facts));
    else if (reading.startsWith('"')) lookAtPairs(JSON.parse(reading) as string, facts);
}

function lookAtTags(tags: string, facts: RawFacts): void {
  if (!tags.startsWith('{')) return;
  const members = membersOf(tags);
  facts.isTwice ||= hasTwice(members);
  const texts = members.map(({ name, text }) => {
    facts.hasHalf ||= !name.isWellFormed() || isHalved(text);
    const isText = text.startsWith('"');
    if (!isText) facts.longestTagNumber = Math.max(facts.longestTagNumber, text.length);
    return `${JSON.stringify(name)}:${isText ? JSON.stringify(JSON.parse(text)) : text}`;
  });
  facts.tagsBytes = Buffer.byteLength(`{${texts.join()}}`);
}

/** @returns how many members are in the value */
function lookAt(text: string, depth: number, facts: RawFacts): number {
  facts.depth = Math.max(facts.depth, depth);
  // Deeper than any reading may be.
  if (depth > 64) return 0;
  const members = membersOf(text);
  if (text.startsWith('{')) facts.isTwice ||= hasTwice(members);
  let count = members.length;
  for (const { name, text: value } of members) {
    facts.hasHalf ||= !name.isWellFormed() || isHalved(value);
    if (value.startsWith('{') || value.startsWith('[')) count += lookAt(value, depth + 1, facts);
    else if (/^[-0-9]/.test(value)) facts.longestNumber = Math.max(facts.longestNumber, value.length);
  }
  return count;
}

function lookAtPairs(text: string, facts: RawFacts): void {
  facts.hasPairs = true;
  facts.hasHalf ||= !text.isWellFormed();
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=');
    return { name: pair.slice(0, at).trim(), value: pair.slice(at + 1).trim() };
  });
  facts.hasTwicePair ||= new Set(pairs.map(({ name }) => name)).size < pairs.length;
  facts.members = Math.max(facts.members, pairs.length);
  for (const { value } of pairs)
    if (/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(value))
      facts.longestNumber = Math.max(facts.longestNumber, value.length);
}
