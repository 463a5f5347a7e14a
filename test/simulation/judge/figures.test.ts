import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CheckedFigures, checkFigures, type Limits } from '../../../simulation/judge/figures.ts';
import { Findings } from '../../../simulation/judge/findings.ts';

const LIMITS: Limits = {
  deviceBufferBytes: 1000,
  kafkaBufferBytes: 1000,
  queueJobs: 10,
  connections: 2,
  spoolBytes: 1000,
  deadBytes: 1000,
};

const FIGURES: CheckedFigures = {
  connections: { bufferBytes: 1000 },
  lines: { received: 10, accepted: 6, refusedLines: 3, waiting: 1 },
  queue: { depth: 12 },
  records: {
    accepted: 30,
    recovered: 6,
    open: 1,
    inFlight: 2,
    spooled: 3,
    confirmed: 15,
    deadLettered: 4,
    damaged: 5,
    abandoned: 6,
  },
  kafka: { bufferBytes: 1000 },
  spool: { bytes: 1000 },
  deadLetters: { bytes: 1000 },
};

const rulesOf = (figures: CheckedFigures) => {
  const wrong = new Findings();
  checkFigures(figures, LIMITS, wrong);
  return wrong.list.map(({ rule }) => rule);
};

it('finds nothing in figures that add up and reach every limit', () => {
  assert.deepEqual(rulesOf(FIGURES), []);
});

describe('one count more or less', () => {
  for (const name of Object.keys(FIGURES.records) as (keyof CheckedFigures['records'])[]) {
    it(`of records ${name}`, () => {
      const records = { ...FIGURES.records, [name]: FIGURES.records[name] + 1 };
      assert.deepEqual(rulesOf({ ...FIGURES, records }), ['balance of records']);
    });
  }

  for (const name of Object.keys(FIGURES.lines) as (keyof CheckedFigures['lines'])[]) {
    it(`of lines ${name}`, () => {
      const lines = { ...FIGURES.lines, [name]: FIGURES.lines[name] - 1 };
      assert.deepEqual(rulesOf({ ...FIGURES, lines }), ['balance of lines']);
    });
  }
});

it('no count may be negative', () => {
  const records = { ...FIGURES.records, open: -1, inFlight: 4 };
  assert.deepEqual(rulesOf({ ...FIGURES, records }), ['balance of records']);
});

it('memory and disk stay within their settings', () => {
  const memory = ['more memory than its settings allow'];
  const disk = ['more disk than its settings allow'];
  assert.deepEqual(rulesOf({ ...FIGURES, connections: { bufferBytes: 1001 } }), memory);
  assert.deepEqual(rulesOf({ ...FIGURES, kafka: { bufferBytes: Number.NaN } }), memory);
  assert.deepEqual(rulesOf({ ...FIGURES, queue: { depth: 13 } }), memory);
  assert.deepEqual(rulesOf({ ...FIGURES, spool: { bytes: 1001 } }), disk);
  assert.deepEqual(rulesOf({ ...FIGURES, deadLetters: { bytes: 1001 } }), disk);
});
