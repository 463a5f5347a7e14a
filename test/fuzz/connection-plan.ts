// What one connection sends, and in which pieces: decided by the seed of the run and the number of the connection, so
// that a connection can be repeated alone.
import { Random } from '../chaos/random.ts';
import { LineMaker } from './lines.ts';
import { mutated } from './mutations.ts';

export interface ConnectionPlan {
  readonly number: number;
  readonly bytes: Buffer;
  /** Where the bytes are cut for writing: rising, the last one is their length. */
  readonly cuts: readonly number[];
}

/** Below the budget of refused lines of a connection. */
const MAX_LINES = 700;
const MAX_BYTES = 2 * 1024 * 1024;
/** Before identify, most connections send nothing, and few send much. */
const LINES_BEFORE = [0, 0, 0, 0, 1, 2, 5, 30];
/** First bytes of other protocols, and some that are none. */
const FOREIGN = [
  'GET / HTTP/1.1',
  'post /x',
  'GETS',
  '\x16\x03\x01',
  '\x16\x04',
  'SSH-2.0-x',
  'SSH',
  'PROXY TCP4',
  '\r\n\r\n\0\r\nQUIT\n!',
  '\r\n\r\n\0\r',
  '\r\n\r',
  '\0\0\0\x85\xffSMBr',
  '\xfeSMB@',
  '\xfbSMB',
  '\0',
  '{GET /',
  ' get /',
  'FOO /x HTTP/1.1',
  'FOO /x HTTX/1.1',
];
const FOREIGN_SHARE = 0.03;
const MUTATED_SHARE = 0.45;

export function planConnection(seed: number, number: number): ConnectionPlan {
  const random = new Random(Math.imul(seed ^ 0x9e3779b9, 2 * number + 1) ^ number);
  const lines: string[] = [];
  let length = 0;
  const add = (line: string) => {
    lines.push(line);
    length += line.length;
  };
  const maker = new LineMaker(random);
  const deviceId = `${random.text(14)}-${number}`;
  if (random.next() < FOREIGN_SHARE) add(`${random.pick(FOREIGN)}${ending(random)}`);
  const changed = (text: string) => {
    let line = Buffer.from(text).toString('latin1');
    while (random.next() < MUTATED_SHARE) line = mutated(line, random);
    return line + ending(random);
  };
  for (let count = random.pick(LINES_BEFORE); count > 0; count--)
    add(changed(random.next() < 0.7 ? maker.identify(deviceId) : maker.message(deviceId)));
  // Most connections have to identify, or the lines behind are wasted.
  add(`{"type":"identify","zipcode":"${number % 1000}","city":"Fuzz"}\n`);
  for (let count = random.between(0, MAX_LINES); count > 0 && length < MAX_BYTES; count--)
    add(changed(maker.message(deviceId)));
  // The last line may have no end.
  if (random.next() < 0.2) add(changed(maker.message(deviceId)).trimEnd());
  const bytes = Buffer.from(lines.join(''), 'latin1');
  return { number, bytes, cuts: cutsOf(bytes.length, random) };
}

function ending(random: Random): string {
  return random.next() < 0.1 ? random.pick(['\r\n', '\r\r\n', '\n\n', ' \n', '\n\r\n']) : '\n';
}

function cutsOf(length: number, random: Random): number[] {
  const size = random.pick([length, length, 65536, 4096, 1000, 100, 7, 1]);
  const cuts: number[] = [];
  // Tiny pieces cost a turn each, so only the first ones are.
  let at = 0;
  while (at < length) {
    at += cuts.length > 300 ? 16384 : random.between(1, Math.max(1, 2 * size));
    cuts.push(Math.min(at, length));
  }
  return cuts;
}
