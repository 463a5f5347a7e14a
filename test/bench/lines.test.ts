// The bench's lines: digits that are written over those of the pool read back as the right values.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSource } from '../../bench/devices/line-source.ts';
import { FIRST_SEQ, linePool, POOL_LINES } from '../../bench/devices/lines.ts';

interface Line {
  readonly type: string;
  readonly seq?: number;
  readonly data: { readonly temperature: number; readonly n?: number; readonly sent_ms?: number };
}

const parsed = (block: Buffer): Line[] =>
  block
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

test('lines are those of the pool in turn, beginning again at its end', () => {
  const pool = linePool({ seq: false, stamped: false });
  const source = new LineSource({ seq: false, stamped: false });
  for (const first of [0, 6000, 12_000, 0]) {
    assert.equal(source.take(6000, 0).toString(), `${pool.slice(first, first + 6000).join('\n')}\n`);
  }
});

test('each line has its own seq, and the pool does not change', () => {
  const source = new LineSource({ seq: true, stamped: false });
  const seqs = (first: number) => parsed(source.take(3, first)).map(({ seq }) => seq);
  assert.deepEqual(seqs(FIRST_SEQ + 41), [FIRST_SEQ + 41, FIRST_SEQ + 42, FIRST_SEQ + 43]);
  source.take(POOL_LINES - 3, FIRST_SEQ);
  assert.deepEqual(seqs(2 ** 31 - 4), [2 ** 31 - 4, 2 ** 31 - 3, 2 ** 31 - 2]);
});

for (const seq of [true, false]) {
  test(`a stamped line carries number and time ${seq ? 'beside a seq' : 'without a seq'}`, () => {
    const source = new LineSource({ seq, stamped: true });
    const reference = linePool({ seq, stamped: true });
    for (const [index, sentMs] of [
      1_795_311_515_123.456, 1_795_311_516_000, 1_795_311_516_009.07,
    ].entries()) {
      const n = 999_999 + index;
      const [line] = parsed(source.takeStamped({ n: FIRST_SEQ + n, sentMs }, FIRST_SEQ + index));
      assert.equal(line?.seq, seq ? FIRST_SEQ + index : undefined);
      assert.equal(line?.data.n, FIRST_SEQ + n);
      assert.ok(Math.abs((line?.data.sent_ms ?? 0) - sentMs) <= 0.0011, `${line?.data.sent_ms}`);
      assert.equal(line?.data.temperature, (JSON.parse(reference[index] ?? '') as Line).data.temperature);
    }
  });
}
