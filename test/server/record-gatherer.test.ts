// Short TLS records are handed on together, in their order, in the turn of the event loop that read them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RecordGatherer } from '../../src/server/record-gatherer.ts';
import { Memory } from '../../src/server/slabs.ts';

const MEMORY = new Memory(64 * 1024);

function setUp() {
  const gatherer = new RecordGatherer();
  const pieces: string[] = [];
  const reader = (name: string) => ({
    records: 0,
    onRecord() {
      this.records++;
    },
    onBytes: (bytes: Uint8Array) => void pieces.push(`${name} ${Buffer.from(bytes).toString('latin1')}`),
    onEnd: () => {},
    onClose: () => {},
  });
  /** As Node gives a record: each one is in the same memory. */
  const give = (to: ReturnType<typeof reader>, text: string) => {
    MEMORY.bytes.fill(0);
    MEMORY.bytes.write(text, 'latin1');
    gatherer.add(to, MEMORY, text.length);
  };
  return { gatherer, pieces, reader, give };
}

test('the short records of a reader are handed on together, and each is counted when it comes', async () => {
  const { pieces, reader, give } = setUp();
  const a = reader('a');
  // Lengths that do and do not fill words.
  const sent = Array.from({ length: 40 }, (_, n) => String.fromCharCode(65 + n).repeat(n % 13));
  for (const text of sent) give(a, text);
  assert.deepEqual([pieces, a.records], [[], 40]);
  await nextTurn();
  assert.deepEqual(pieces, [`a ${sent.join('')}`]);
  give(a, 'later');
  await nextTurn();
  assert.deepEqual(pieces.slice(1), ['a later']);
});

test('the records of another reader, and a long record, come after those that are gathered', async () => {
  const { pieces, reader, give } = setUp();
  const [a, b] = [reader('a'), reader('b')];
  const long = 'x'.repeat(401);
  give(a, '1');
  give(b, '2');
  give(b, '3');
  give(a, '4');
  give(b, long);
  give(b, '5');
  give(b, long);
  assert.deepEqual(pieces, ['a 1', 'b 23', 'a 4', `b ${long}`, 'b 5', `b ${long}`]);
  await nextTurn();
  assert.equal(pieces.length, 6);
  assert.deepEqual([a.records, b.records], [2, 5]);
});

test('no more than 8 KiB are gathered, and nothing of more is lost', async () => {
  const { pieces, reader, give } = setUp();
  const a = reader('a');
  const sent = Array.from({ length: 100 }, (_, n) => `${n}`.padStart(399, '.'));
  for (const text of sent) give(a, text);
  await nextTurn();
  assert.ok(pieces.every((piece) => piece.length <= 'a '.length + 8 * 1024));
  assert.equal(pieces.map((piece) => piece.slice(2)).join(''), sent.join(''));
});

test('what comes while records are handed on is handed on, too', async () => {
  const { gatherer, pieces, reader, give } = setUp();
  const [a, b] = [reader('a'), reader('b')];
  const { onBytes } = a;
  let asked = 0;
  a.onBytes = (bytes) => {
    onBytes(bytes);
    gatherer.handOn();
    if (asked++ === 0) give(b, 'answer');
  };
  give(a, '1');
  gatherer.handOn();
  assert.deepEqual(pieces, ['a 1']);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(pieces, ['a 1', 'b answer']);
});
