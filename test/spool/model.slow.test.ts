// Checks the log against a model with random appends, reads, acknowledgements, crashes and damage. The model knows which
// batches were confirmed and which were damaged, and checks every batch that the log returns.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import type { SpooledBatch } from '../../src/spool/segment-reader.ts';
import { filesIn, makeBatch, type OpenedLog, openLog } from './support.ts';

const RUNS = Number(process.env.SPOOL_MODEL_RUNS ?? 100);
const SEED = Number(process.env.SPOOL_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));

type Command =
  | { kind: 'append'; counts: number[] }
  | { kind: 'next'; times: number }
  | { kind: 'acknowledge'; keep: number }
  | { kind: 'rewind' }
  | { kind: 'full'; count: number }
  | { kind: 'crash' }
  | { kind: 'tornWrite'; part: number }
  | { kind: 'flip'; where: number; bit: number }
  | { kind: 'powerCut'; where: number }
  | { kind: 'loseCursor'; how: 'missing' | 'older' | 'garbage' };

const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
// Not fc.double: most of its values are close to zero.
const fraction = fc.nat({ max: 9999 }).map((n) => n / 10_000);
const one = (kind: Command['kind'], fields: Record<string, fc.Arbitrary<unknown>> = {}, weight = 1) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), ...fields }),
});
const command = fc.oneof(
  one('append', { counts }, 8),
  one('next', { times: fc.integer({ min: 1, max: 6 }) }, 5),
  one('acknowledge', { keep: fc.integer({ min: 0, max: 2 }) }, 4),
  one('rewind'),
  one('full', { count: fc.integer({ min: 1, max: 3 }) }),
  one('crash', {}, 2),
  one('tornWrite', { part: fraction }),
  one('flip', { where: fraction, bit: fc.nat({ max: 7 }) }, 2),
  one('powerCut', { where: fraction }),
  one('loseCursor', { how: fc.constantFrom('missing', 'older', 'garbage') }),
) as fc.Arbitrary<Command>;

interface Known {
  readonly bytes: Buffer;
  readonly count: number;
  /** Its bytes were damaged or cut off, so it may be missing. */
  damaged: boolean;
  /** Lost as by a power cut, before the kernel had written it. */
  cut: boolean;
}

class Model {
  readonly #directory: string;
  readonly #opened: OpenedLog[] = [];
  readonly #batches: Known[] = [];
  readonly #given: { index: number; batch: SpooledBatch }[] = [];
  #next = 0;
  #acknowledged = 0;
  /** The most that was ever acknowledged: after a lost cursor, an older one may be ahead of the log. */
  #everAcknowledged = 0;
  /** Batches may come again, because the cursor was lost or points outside of the log. */
  #replays = false;
  #older: Buffer | undefined;
  #full = false;
  readonly seen = { confirmed: 0, delivered: 0, again: 0, flips: 0, lost: 0, cut: 0, reopened: 0 };

  constructor(directory: string) {
    this.#directory = directory;
  }

  async run(command: Command): Promise<void> {
    switch (command.kind) {
      case 'append':
        return this.#append(command.counts);
      case 'next':
        for (let n = 0; n < command.times; n++) await this.#read();
        return;
      case 'acknowledge':
        return this.#acknowledge(command.keep);
      case 'rewind':
        await this.log.rewind();
        this.#next = this.#acknowledged;
        this.#given.length = 0;
        return;
      case 'full': {
        this.#full = true;
        const [bytes, offset] = [this.log.bytes, this.log.nextOffset];
        await assert.rejects(this.log.append([await makeBatch('full', command.count)]), {
          code: 'SPOOL_FULL',
        });
        assert.deepEqual([this.log.bytes, this.log.nextOffset], [bytes, offset]);
        this.#full = false;
        return;
      }
      case 'crash':
        return this.reopen();
      case 'tornWrite':
        await this.#tear(command.part);
        return this.reopen();
      case 'flip': {
        const isHit = this.#flip(command.where, command.bit);
        const before = this.log.acknowledged;
        await this.reopen();
        if (isHit && before === this.log.acknowledged) {
          assert.ok(this.#recovered.badBatches > 0, 'the damage was not counted');
          assert.ok(filesIn(this.#directory, '.bad').length > 0, 'the damage was not set aside');
        }
        return;
      }
      case 'powerCut':
        this.#cut(command.where);
        return this.reopen();
      case 'loseCursor':
        this.#loseCursor(command.how);
        return this.reopen();
    }
  }

  /** Drops the log as a killed process would, and opens it again. */
  async reopen(): Promise<void> {
    this.#opened.push(
      await openLog(this.#directory, { segmentBytes: 1500, sync: 'batch', hasRoom: () => !this.#full }),
    );
    this.seen.reopened++;
    this.#given.length = 0;
    this.#next = this.#acknowledged;
    assert.ok(this.log.records >= 0 && this.log.acknowledged <= this.log.nextOffset);
  }

  /** Reads all that is left and checks that nothing remains. */
  async finish(): Promise<void> {
    await this.reopen();
    while (await this.#read()) await this.#acknowledge(0);
    const missing = this.#batches.slice(this.#next).filter(({ damaged }) => !damaged);
    assert.equal(missing.length, 0, 'confirmed batches did not come back');
    assert.equal(this.log.records, 0);
    assert.deepEqual(filesIn(this.#directory, '.log'), []);
  }

  async close(): Promise<void> {
    for (const { log } of this.#opened) await log.close();
  }

  private get log() {
    return (this.#opened.at(-1) as OpenedLog).log;
  }

  get #recovered() {
    return (this.#opened.at(-1) as OpenedLog).recovered;
  }

  async #append(counts: readonly number[]): Promise<void> {
    const first = this.#batches.length;
    const group = await Promise.all(counts.map((count, n) => makeBatch(`#${first + n}`, count, 60)));
    await this.log.append(group);
    for (const [index, bytes] of group.entries()) {
      this.#batches.push({ bytes, count: counts[index] as number, damaged: false, cut: false });
    }
    this.seen.confirmed += group.length;
  }

  async #read(): Promise<boolean> {
    const batch = await this.log.next();
    if (batch === undefined) {
      const skipped = this.#batches.slice(this.#next).filter(({ damaged }) => !damaged);
      assert.equal(skipped.length, 0, 'the end came before confirmed batches');
      return false;
    }
    const index = this.#batches.findIndex(({ bytes }) => bytes.subarray(8).equals(batch.bytes.subarray(8)));
    assert.ok(index >= 0, 'a batch came that was never confirmed');
    assert.equal(batch.bytes.readBigInt64BE(0), 0n);
    if (this.#replays && this.#given.length === 0 && index <= Math.max(this.#next, this.#everAcknowledged)) {
      this.seen.again += Math.max(0, this.#next - index);
      this.#next = index;
      // The log's cursor is another one. From here on the model follows it.
      this.#acknowledged = index;
    }
    this.#replays = false;
    assert.ok(index >= this.#next, `batch ${index} came again, ${this.#next} was next`);
    const skipped = this.#batches.slice(this.#next, index).filter(({ damaged }) => !damaged);
    assert.equal(skipped.length, 0, `confirmed batches before ${index} were skipped`);
    this.seen.lost += index - this.#next;
    this.seen.delivered++;
    const before = this.#given.at(-1)?.batch;
    assert.ok(before === undefined || batch.offset >= before.offset + before.count, 'offsets fell');
    this.#given.push({ index, batch });
    this.#next = index + 1;
    return true;
  }

  async #acknowledge(keep: number): Promise<void> {
    const settled = this.#given.splice(0, Math.max(0, this.#given.length - keep));
    const last = settled.at(-1);
    if (last === undefined) return;
    this.#older = readFileSync(join(this.#directory, 'cursor'));
    await this.log.acknowledge(last.batch.offset + last.batch.count);
    this.#acknowledged = last.index + 1;
    this.#everAcknowledged = Math.max(this.#everAcknowledged, this.#acknowledged);
  }

  // A write that a crash interrupted, at the end of the active file or in a new one.
  async #tear(part: number): Promise<void> {
    const bytes = await makeBatch('torn', 3, 60);
    bytes.writeBigInt64BE(BigInt(this.log.nextOffset), 0);
    const name =
      filesIn(this.#directory, '.log').at(-1) ?? `${String(this.log.nextOffset).padStart(20, '0')}.log`;
    appendFileSync(join(this.#directory, name), bytes.subarray(0, Math.floor(part * bytes.length)));
  }

  /** True if a batch that is still to be sent was hit. */
  #flip(where: number, bit: number): boolean {
    const names = filesIn(this.#directory, '.log');
    const name = names[Math.floor(where * names.length)];
    if (name === undefined) return false;
    const path = join(this.#directory, name);
    const bytes = readFileSync(path);
    const at = Math.floor(((where * 7919) % 1) * bytes.length);
    const owner = this.#ownerOf(bytes, at);
    // No second flip in a batch, and none in fields without a checksum: behind damage the base offset is believed.
    if (owner === undefined || owner.at < 8 || (owner.at >= 12 && owner.at < 16)) return false;
    bytes[at] = (bytes[at] as number) ^ (1 << bit);
    writeFileSync(path, bytes);
    owner.batch.damaged = true;
    this.seen.flips++;
    return true;
  }

  #ownerOf(bytes: Buffer, at: number): { batch: Known; at: number } | undefined {
    for (const batch of this.#batches) {
      const start = bytes.indexOf(batch.bytes.subarray(8)) - 8;
      if (start >= 0 && at >= start && at < start + batch.bytes.length) return { batch, at: at - start };
    }
    return undefined;
  }

  // Unsynced bytes at the end of the last file are gone, or zeros are in their place.
  #cut(where: number): void {
    const name = filesIn(this.#directory, '.log').at(-1);
    if (name === undefined) return;
    const path = join(this.#directory, name);
    const bytes = readFileSync(path);
    const length = Math.floor(where * (bytes.length + 1));
    for (const batch of this.#batches) {
      const start = bytes.indexOf(batch.bytes.subarray(8)) - 8;
      if (start >= 0 && start + batch.bytes.length > length) {
        batch.damaged = true;
        this.seen.cut++;
      }
    }
    if (bytes[length - 1] === 0x2e) writeFileSync(path, bytes.fill(0, length));
    else truncateSync(path, length);
    this.#replays = true;
  }

  #loseCursor(how: 'missing' | 'older' | 'garbage'): void {
    const path = join(this.#directory, 'cursor');
    if (how === 'missing' && existsSync(path)) unlinkSync(path);
    else if (how === 'garbage') writeFileSync(path, Buffer.alloc(200, 0x5a));
    else if (this.#older !== undefined) writeFileSync(path, this.#older);
    this.#replays = true;
  }
}

it('a log returns every confirmed batch in order, and again only after a replay', async () => {
  const total: Record<string, number> = {};
  console.error(`spool model: SPOOL_MODEL_SEED=${SEED}, ${RUNS} runs`);
  const parent = mkdtempSync(join(tmpdir(), 'sluice-model-'));
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 60 }), async (commands) => {
        const directory = join(parent, `${run++}`);
        mkdirSync(directory);
        const model = new Model(directory);
        try {
          await model.reopen();
          for (const one of commands) await model.run(one);
          await model.finish();
        } finally {
          await model.close();
          rmSync(directory, { recursive: true });
        }
        for (const [name, value] of Object.entries(model.seen)) total[name] = (total[name] ?? 0) + value;
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: false },
    );
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
  console.error(`spool model: ${JSON.stringify(total)}`);
  for (const name of ['flips', 'lost', 'cut']) assert.ok((total[name] ?? 0) > 0, `no ${name} seen`);
});
