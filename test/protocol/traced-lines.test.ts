// The short cut for lines with a traceparent: it takes them only in one place, and finds the same as the complete decoder.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { USUAL_RULES } from '../../src/protocol/line-rules.ts';
import { decodeLine } from '../../src/protocol/messages.ts';
import { copyCompact, MetricsScan } from '../../src/protocol/metrics-scan.ts';
import { recordTail } from '../../src/protocol/record-frame.ts';
import { TRACEPARENT_LENGTH } from '../../src/protocol/traceparent.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const RULES = { ...USUAL_RULES, traceparent: true };
const scan = new MetricsScan();

/** True if the short cut takes the line. Fails if its result is not that of the complete decoder. */
function isShort(text: string): boolean {
  const line = Buffer.from(`${text}\n`);
  const end = line.length - 1;
  if (!scan.scan(line, 0, end)) return false;
  const message = decodeLine(line, 0, end, RULES);
  assert.ok(message.type === 'metrics', text);
  const target = Buffer.alloc(end - scan.tailStart);
  const tail = target.toString('utf8', 0, copyCompact(line, scan.tailStart, end, target, 0));
  assert.equal(tail, recordTail(message.seq, message.readings[0] ?? ''));
  assert.equal(scan.seq, message.seq ?? -1);
  const trace =
    scan.traceAt < 0 ? undefined : line.toString('utf8', scan.traceAt, scan.traceAt + TRACEPARENT_LENGTH);
  assert.equal(trace, message.traceparent);
  return true;
}

const traced = (value: string, rest = '"seq":7,"data":{"a":1}') =>
  `{"type":"metrics","traceparent":${value},${rest}}`;

it('is taken directly behind the type, with and without seq and white space', () => {
  assert.ok(isShort(traced(`"${TRACE}"`)));
  assert.ok(isShort(traced(`"${TRACE}"`, '"data":{"a":1}')));
  assert.ok(
    isShort(`{ "type" : "metrics" , "traceparent" : "${TRACE}" , "seq" : 7 , "data" : { "a" : 1 } }`),
  );
  assert.ok(isShort('{"type":"metrics","seq":7,"data":{"a":1}}'), 'a line behind a traced one has no trace');
});

it('is left to the complete decoder anywhere else, and with any other value', () => {
  const elsewhere = [
    `{"traceparent":"${TRACE}","type":"metrics","data":{"a":1}}`,
    `{"type":"metrics","seq":7,"traceparent":"${TRACE}","data":{"a":1}}`,
    `{"type":"metrics","data":{"a":1},"traceparent":"${TRACE}"}`,
    traced(`"${TRACE}"`, `"traceparent":"${TRACE}","data":{"a":1}`),
  ];
  for (const line of elsewhere) assert.ok(!isShort(line), line);
  const values = [
    `"${TRACE.slice(1)}"`,
    `"${TRACE}0"`,
    `"${TRACE.replace('a', 'A')}"`,
    `"${TRACE.replace('00', 'ff')}"`,
  ];
  for (const value of [...values, '""', '7', 'null', '{}', `"\\u0030${TRACE.slice(1)}"`])
    assert.ok(!isShort(traced(value)), value);
  for (let length = 0; length < traced(`"${TRACE}"`).length; length++)
    assert.ok(!isShort(traced(`"${TRACE}"`).slice(0, length)), `cut off at ${length}`);
});
