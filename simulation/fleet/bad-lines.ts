// Lines that the gateway has to refuse without closing the connection, each with the code of the refusal.
import type { Random } from '../world/random.ts';
import type { DueAnswer } from './ordered-answers.ts';

export interface BadLine extends DueAnswer {
  readonly bytes: Buffer;
}

type Kind = readonly [code: string, text: string];

/** `SEQ` becomes the next number, DEVICE the device's name. A line without SEQ is answered without `seq`. */
const KINDS: readonly Kind[] = [
  ['invalid_json', 'not json'],
  ['invalid_json', ''],
  ['invalid_json', '{"type":"metrics","seq":1,"data":{"a":1}'],
  ['invalid_json', '[{"type":"metrics"}]'],
  ['invalid_utf8', '{"type":"metrics","data":{"a":"\xff"}}'],
  ['already_identified', '{"type":"identify","zipcode":"1","city":"Again"}'],
  ['invalid_message', '{"type":"metrics","data":{}}'],
  ['invalid_message', '{"type":"unknown"}'],
  ['invalid_message', '{"type":"metrics","seq":4.5,"data":{"d":"DEVICE"}}'],
  ['invalid_message', '{"type":"metrics","seq":SEQ,"data":{}}'],
  ['invalid_message', '{"type":"metrics","seq":SEQ,"data":{"d":"DEVICE","a":{"":1}}}'],
  ['invalid_message', '{"type":"metrics","seq":SEQ,"data":{"a":1,"a":2}}'],
  ['invalid_message', '{"type":"metrics","seq":SEQ,"data":[{"a":1},{}]}'],
  ['invalid_message', '{"type":"metrics","seq":SEQ,"data":{"a":{"b":[{"c":1},{"c":1,"c":2}]}}}'],
  ['invalid_message', `{"type":"metrics","seq":SEQ,"data":{"a":${'['.repeat(16)}${']'.repeat(16)}}}`],
  ['invalid_message', `{"type":"metrics","seq":SEQ,"data":{"a":[0${',0'.repeat(1023)}]}}`],
];

/** @param of `nextSeq` gives a number that no other line of the device has */
export function drawBadLine(
  random: Random,
  { device, nextSeq }: { readonly device: string; readonly nextSeq: () => number },
): BadLine {
  const [answer, text] = random.pick(KINDS);
  const seq = text.includes('SEQ') ? nextSeq() : undefined;
  const line = text.replace('SEQ', String(seq)).replace('DEVICE', device);
  return { answer, seq, bytes: Buffer.from(`${line}\n`, 'latin1') };
}
