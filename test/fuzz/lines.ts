// Makes lines of the protocol at random: most are valid, and many are written in unusual ways. It knows only
// docs/protocol.md. Mutations are made elsewhere.
import type { Random } from '../chaos/random.ts';

const NUMBERS = '0 -0 1 -1 21.5 0.50 -1.5E+3 1e400 1e-400 12345678901234567890 9007199254740993 0.1e1'.split(
  ' ',
);
const WORDS = ['true', 'false', 'null'];
const CHARACTERS = [
  ...'abcxyzABZ019 _.:-=,/\'"\\{}[]',
  ...'\u0000\b\t\n\u000b\f\r\u001b\u001f\u007f\u0080\u0085\u009f\u00a0\u00ad\u1680\u2003\u2028\u2029\u202f\u205f\u3000\ufeff\ufffe',
  ...'üñ€東🌧',
];
/** Characters that a name may have. */
const PRINTABLE = CHARACTERS.filter((character) => !/\p{Cc}/u.test(character));
const NAMES = [
  'a',
  'b',
  'data',
  'type',
  'seq',
  '__proto__',
  'constructor',
  'temperature',
  'wind.speed',
  'größe',
  '🌧',
];
const SPACES = ['', '', '', '', ' ', '\t', '\r', '  ', ' \t\r'];
/** The limits of a line and of an identify line. */
const LINE_LIMITS = [8192, 65536];

export class LineMaker {
  readonly #random: Random;
  #seq = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** @param deviceId no other connection may have it, or the two would replace each other */
  identify(deviceId: string): string {
    const fields = [
      ['type', '"identify"'],
      [
        'zipcode',
        this.#oneOf(
          4,
          () => this.#string(),
          () => `"${this.#random.pick(['1', '90210', 'SW1A 1AA', 'a_b', 'x'.repeat(64), 'x'.repeat(65)])}"`,
        ),
      ],
      [
        'city',
        this.#oneOf(
          3,
          () => this.#string(),
          () => '"Beverly Hills"',
        ),
      ],
    ];
    if (this.#chance(2)) fields.push(['device_id', this.#spelt(deviceId)]);
    if (this.#chance(4)) fields.push(['token', this.#string()]);
    if (this.#chance(3)) fields.push(['tags', this.#tags()]);
    return this.#object(this.#withUnknown(fields));
  }

  #tags(): string {
    if (this.#chance(20)) return this.value(2);
    const count = this.#chance(20) ? this.#random.between(14, 17) : this.#random.between(0, 4);
    const names = new Set(Array.from({ length: count }, () => this.#name()));
    const long = () => JSON.stringify('x'.repeat(this.#random.pick([255, 256, 257])));
    const value = () => (this.#chance(8) ? long() : this.#chance(30) ? this.value(2) : this.#scalar());
    return this.#object([...names].map((name) => [name, value()]));
  }

  /** A message of any type, as a device may send it after identify. */
  message(deviceId: string): string {
    if (this.#chance(12)) return this.#object(this.#withUnknown([['type', '"keepalive"']]));
    if (this.#chance(30)) return this.#object(this.#withUnknown([['type', '"time"']]));
    if (this.#chance(40)) return this.identify(deviceId);
    return this.#metrics();
  }

  #metrics(): string {
    const fields = [['type', '"metrics"']];
    if (this.#chance(2)) fields.push(['seq', this.#seqText()]);
    fields.push(['data', this.#data()]);
    if (this.#chance(3))
      return `{"type":"metrics",${fields.slice(1).map(([name, value]) => `"${name}":${value}`)}}`;
    return this.#object(this.#withUnknown(fields));
  }

  #seqText(): string {
    // An accepted seq of that size leaves no higher one for the rest of the connection.
    if (this.#chance(1000)) return this.#random.pick(['9007199254740991', '9007199254740990']);
    if (this.#chance(30)) return this.#random.pick([...NUMBERS, '"1"', 'null', '9007199254740992', '-1']);
    if (!this.#chance(30)) this.#seq += this.#random.between(1, 50);
    return String(this.#seq);
  }

  #data(): string {
    if (!this.#chance(6)) return this.#reading();
    const count = this.#chance(400)
      ? this.#random.pick([0, 999, 1000, 1001])
      : this.#random.between(this.#chance(40) ? 0 : 1, 6);
    const readings = Array.from({ length: count }, () => (count > 6 ? '"a=1"' : this.#reading()));
    return `[${readings.map((text) => this.#spaced(text)).join(',')}]`;
  }

  #reading(): string {
    if (this.#chance(80)) return this.value(2);
    if (this.#chance(5)) return this.#spelt(this.#pairs());
    const count = this.#chance(200)
      ? this.#random.pick([0, 64, 65, 1023, 1024, 1025])
      : this.#random.between(this.#chance(40) ? 0 : 1, 6);
    if (count > 6) return `{${Array.from({ length: count }, (_, i) => `"f${i}":${i % 10}`).join(',')}}`;
    const names = new Set(Array.from({ length: count }, () => this.#name()));
    return this.#object([...names].map((name) => [name, this.#field()]));
  }

  /** A value of a reading: nested in every third, and sometimes as deep or as wide as it may be, or a bit more. */
  #field(): string {
    if (!this.#chance(3)) return this.#scalar();
    if (this.#chance(30))
      return this.#nested(this.#random.between(13, 17), this.#chance(2) ? '' : this.#scalar());
    if (this.#chance(60))
      return this.#wide(this.#random.pick([63, 64, 65, 500, 1010, 1018, 1022, 1023, 1024]));
    return this.value(this.#random.between(1, 4));
  }

  /** Objects and arrays in each other. @param inner empty if the innermost one is to be so */
  #nested(depth: number, inner: string): string {
    let text = inner;
    for (let level = 0; level < depth; level++) {
      const isArray = this.#chance(2);
      const content = isArray || text === '' ? text : `${JSON.stringify(this.#name())}:${text}`;
      text = this.#spaced(isArray ? `[${content}]` : `{${content}}`);
    }
    return text;
  }

  #wide(count: number): string {
    if (this.#chance(2)) return `[${Array.from({ length: count }, (_, i) => i % 10).join(',')}]`;
    return `{${Array.from({ length: count }, (_, i) => `"f${i}":${i % 10}`).join(',')}}`;
  }

  #pairs(): string {
    const pair = () => {
      const value = this.#chance(2) ? this.#random.pick([...NUMBERS, ...WORDS, '']) : this.#text(6);
      return `${this.#text(1)}${this.#name()}${this.#text(1)}=${value}`;
    };
    const count = this.#chance(100) ? this.#random.pick([1024, 1025]) : this.#random.between(1, 4);
    if (count > 4) return Array.from({ length: count }, (_, i) => `p${i}=${i % 10}`).join(',');
    return Array.from({ length: count }, pair).join(',');
  }

  /** Any JSON value. */
  value(depth: number): string {
    if (depth === 0 || this.#chance(2)) return this.#scalar();
    const count = this.#random.between(0, 3);
    const inner = () => this.value(depth - 1);
    if (this.#chance(2)) return `[${Array.from({ length: count }, () => this.#spaced(inner())).join(',')}]`;
    return this.#object(Array.from({ length: count }, () => [this.#name(), inner()]));
  }

  #scalar(): string {
    if (this.#chance(3)) return this.#random.pick(WORDS);
    if (this.#chance(2)) return this.#string();
    if (this.#chance(300)) return '9'.repeat(this.#random.pick([1023, 1024, 1025]));
    return this.#chance(2)
      ? this.#random.pick(NUMBERS)
      : String((this.#random.next() - 0.5) * 10 ** this.#random.between(-9, 25));
  }

  #name(): string {
    if (!this.#chance(6)) return this.#random.pick(NAMES);
    if (!this.#chance(20)) return this.#chance(10) ? this.#text(8) : `n${this.#text(7, PRINTABLE)}`;
    return this.#random.pick(['x', 'ü', '🌧', '\n']).repeat(this.#random.pick([63, 64, 65]));
  }

  #string(): string {
    if (!this.#chance(50)) return this.#spelt(this.#text(12));
    return this.#spelt(
      this.#random
        .pick(['x', 'ü', '🌧', '\u0001', '"'])
        .repeat(this.#random.pick([128, 129, 1024, 1025, 5000])),
    );
  }

  #text(maxLength: number, characters = CHARACTERS): string {
    const length = this.#random.between(0, maxLength);
    let text = '';
    for (let i = 0; i < length; i++) text += this.#random.pick(characters);
    return text;
  }

  /** The JSON text of a string. Some characters are escaped without need. */
  #spelt(text: string): string {
    const json = JSON.stringify(text);
    if (!this.#chance(4)) return json;
    let spelt = '';
    for (let i = 0; i < text.length; i++) {
      const unit = text[i] ?? '';
      const hex = text.charCodeAt(i).toString(16).padStart(4, '0');
      const isNeeded = JSON.stringify(unit).length > 3;
      spelt += isNeeded || this.#chance(2) ? `\\u${this.#chance(2) ? hex : hex.toUpperCase()}` : unit;
    }
    return `"${spelt}"`;
  }

  #withUnknown(fields: string[][]): string[][] {
    if (this.#chance(2)) return fields;
    const more = this.#chance(100)
      ? [['x', `"${'x'.repeat(this.#random.pick(LINE_LIMITS) - this.#random.between(0, 120))}"`]]
      : this.#chance(60)
        ? [['x', this.#deep()]]
        : [[this.#name(), this.value(3)]];
    const all = [...fields, ...more];
    return this.#chance(2)
      ? all
      : all
          .map((field) => ({ field, at: this.#random.next() }))
          .sort((a, b) => a.at - b.at)
          .map(({ field }) => field);
  }

  #deep(): string {
    const depth = this.#random.pick([10, 1000, 3000, 30_000]);
    return this.#chance(2)
      ? `${'['.repeat(depth)}${']'.repeat(depth)}`
      : `${'{"":'.repeat(depth / 5)}1${'}'.repeat(depth / 5)}`;
  }

  #object(fields: readonly (readonly string[])[]): string {
    const isDense = this.#chance(2);
    const members = fields.map(([name = '', value = '']) => {
      const key = this.#chance(8) ? this.#spelt(name) : JSON.stringify(name);
      return isDense ? `${key}:${value}` : `${this.#spaced(key)}:${this.#spaced(value)}`;
    });
    return this.#spaced(`{${members.join(',')}}`);
  }

  #spaced(text: string): string {
    return `${this.#random.pick(SPACES)}${text}${this.#random.pick(SPACES)}`;
  }

  #oneOf(oneIn: number, seldom: () => string, usually: () => string): string {
    return this.#chance(oneIn) ? seldom() : usually();
  }

  /** True once in so many calls. */
  #chance(oneIn: number): boolean {
    return this.#random.next() * oneIn < 1;
  }
}
