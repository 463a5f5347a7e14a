// `sluice spool ...` as an operator runs it: real processes beside a real gateway that cannot reach its Kafka.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Cursor, NEW_CURSOR } from '../../src/spool/cursor.ts';
import { listLogs, readAcknowledged } from '../../src/spool/inspect.ts';
import { flipBit, storeIn, upTo } from '../spool/support.ts';
import { collect, NOBODY, numberOf, Place, printed, start, TOPIC, withLetters } from './spool-place.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in the output
const CONTROL_CHARACTERS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

/** Time closes no batch. */
const BATCHES_OF_TEN = { KAFKA_BATCH_TIMEOUT: '1m' };
const EACH_COMMAND = [['ls'], ['verify'], ['cat'], ['rm', '--yes'], ['drain', '--brokers', NOBODY]];

describe('beside a running gateway', () => {
  it('ls, verify and cat read, drain and rm are refused with exit code 78', async (t) => {
    const place = new Place(t);
    place.knowPartitions();
    const gateway = await place.gateway(t);
    await gateway.send('90210', 25);
    await gateway.send('10001', 7);

    const { partitions, total } = await place.ls();
    const counts = partitions.map(({ records }) => records).sort((a, b) => a - b);
    assert.deepEqual(counts, [7, 25]);
    assert.ok(partitions.every(({ topic, cursor }) => topic === TOPIC && cursor === 0));
    assert.equal(total.records, 32);
    assert.ok(total.bytes > 0 && total.ageSeconds > 0 && total.ageSeconds < 60 && total.setAside === 0);
    const text = await place.spool('ls');
    assert.match(text.out, /^TOPIC +PARTITION +RECORDS/);
    assert.match(text.out, /^total +32 /m);

    await place.succeeds('verify');
    assert.equal((await place.cat()).length, 32);

    for (const args of [['drain', '--brokers', NOBODY], ['rm'], ['rm', '--yes']]) {
      const { code, err } = await place.spool(...args);
      assert.equal(code, 78, err);
      assert.match(err, /refused beside a running gateway/);
    }
    await gateway.send('60601', 3);
    await gateway.stop();
    assert.equal((await place.cat()).length, 35);
  });

  it('ls, verify and cat report no damage while records are being written', async (t) => {
    const place = new Place(t, { KAFKA_BATCH_SIZE: '1000', SPOOL_SEGMENT_BYTES: '64KiB' });
    const gateway = await place.gateway(t);
    await gateway.send('90210', 10);
    let writing = true;
    const sent = gateway.send('90210', 100_000).finally(() => {
      writing = false;
    });
    let looks = 0;
    while (writing) {
      for (const command of ['ls', 'verify', 'cat']) {
        assert.equal((await place.succeeds(command)).err, '', command);
      }
      looks++;
    }
    await sent;
    assert.ok(looks > 0);
    await gateway.stop();
  });
});

describe('logs of records without a partition, and of several topics', () => {
  /** The number of records in each log's one batch. */
  const LOGS = { 'a-2': 1, 'a~unplaced': 2, 'a~gone-3': 3, 'b.c-0': 4 };

  async function withLogs(t: TestContext): Promise<Place> {
    const place = new Place(t);
    for (const [name, count] of Object.entries(LOGS))
      await storeIn(join(place.directory, name), [name], { count });
    // A foreign folder that was once taken for partition 2.
    mkdirSync(join(place.directory, 'a-02'));
    return place;
  }

  it('are shown by ls and verify under their topic, with their kind', async (t) => {
    const place = await withLogs(t);
    const rows = [
      ['a', '2', 1],
      ['a', 'unplaced', 2],
      ['a', 'gone 3', 3],
      ['b.c', '0', 4],
    ] as const;
    const ls = await place.succeeds('ls');
    const verify = await place.succeeds('verify');
    for (const [topic, partition, records] of rows) {
      assert.match(ls.out, new RegExp(`^${topic} +${partition} +${records} `, 'm'));
      assert.match(verify.out, new RegExp(`^${topic} +${partition} +1 +${records} `, 'm'));
    }
    assert.equal(ls.out.trimEnd().split('\n').length, rows.length + 2);

    const { partitions } = await place.ls();
    assert.deepEqual(
      partitions.map((one) => [one.topic, one.log, one.partition, one.number, one.records]),
      [
        ['a', 'partition', 2, undefined, 1],
        ['a', 'unplaced', null, undefined, 2],
        ['a', 'gone', null, 3, 3],
        ['b.c', 'partition', 0, undefined, 4],
      ],
    );
  });

  it('are printed by cat with the place of each record', async (t) => {
    const place = await withLogs(t);
    assert.deepEqual(
      (await place.cat()).map((one) => [one.topic, one.partition, one.log, one.number, one.offset]),
      [
        ['a', 2, undefined, undefined, 0],
        ['a', null, 'unplaced', undefined, 0],
        ['a', null, 'unplaced', undefined, 1],
        ['a', null, 'gone', 3, 0],
        ['a', null, 'gone', 3, 1],
        ['a', null, 'gone', 3, 2],
        ...[0, 1, 2, 3].map((offset) => ['b.c', 0, undefined, undefined, offset]),
      ],
    );
    assert.equal((await place.cat('--partition', '0')).length, 4);
    assert.equal((await place.cat('--topic', 'a')).length, 6);
  });
});

describe('spool cat', () => {
  it('prints the records of a connection in order, whole and harmless to a terminal', async (t) => {
    const place = new Place(t, { KAFKA_COMPRESSION: 'gzip' });
    await place.fill(t, ['90210'], 40);
    const { out, err } = await place.succeeds('cat');
    assert.equal(err, '');
    assert.doesNotMatch(out, CONTROL_CHARACTERS);
    const records = printed(out);
    assert.deepEqual(records.map(numberOf), upTo(40));
    const offsets = records.map(({ offset }) => offset);
    assert.deepEqual(offsets, upTo(40));
    assert.ok(records.every(({ topic, key }) => topic === TOPIC && key === '90210'));
    assert.ok(records.every(({ timestamp }) => Math.abs(Date.now() - timestamp) < 60_000));

    const values = (await place.spool('cat', '--value-only')).out.split('\n').slice(0, -1);
    const expected = records.map(({ value }) => value);
    assert.deepEqual(values, expected);
  });

  it('can be limited by partition, offset and count', async (t) => {
    const place = new Place(t);
    place.knowPartitions();
    await place.fill(t, ['90210', '10001'], 30);
    const all = await place.cat();
    const [first, last] = [all[0]?.partition, all.at(-1)?.partition];
    assert.notEqual(first, last);

    const some = await place.cat('--partition', `${last}`, '--from', '13', '--limit', '5');
    assert.ok(some.every(({ partition }) => partition === last));
    const offsets = some.map(({ offset }) => offset);
    assert.deepEqual(offsets, [13, 14, 15, 16, 17]);
    assert.equal((await place.spool('cat', '--limit', '0')).out, '');
    assert.equal((await place.cat('--limit', '31')).length, 31);
    assert.equal((await place.spool('cat', '--topic', 'another')).code, 1);
  });

  it('leaves out records that Kafka has, unless --all is given', async (t) => {
    const place = new Place(t);
    await place.fill(t, ['90210'], 30);
    const [partition] = await listLogs(place.directory);
    const cursor = await Cursor.open(join(partition?.directory ?? '', 'cursor'));
    await cursor.write({ ...NEW_CURSOR, acknowledged: 20 });
    await cursor.close();
    assert.deepEqual((await place.cat()).map(numberOf), upTo(30).slice(20));
    assert.deepEqual((await place.cat('--all')).map(numberOf), upTo(30));
    assert.equal((await place.ls()).total.records, 10);
  });

  it('ends without an error if its reader ends', async (t) => {
    const place = new Place(t, { KAFKA_BATCH_SIZE: '1000' });
    await place.fill(t, ['90210'], 20_000);
    const child = start(['spool', 'cat'], place.env);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const { code, err } = await collect(child);
    assert.equal(code, 0);
    assert.equal(err, '');
  });
});

describe('a damaged spool', () => {
  it('is found by verify, skipped by cat, and set aside by the next start, and rm removes the damage', async (t) => {
    const place = new Place(t, BATCHES_OF_TEN);
    place.knowPartitions();
    await place.fill(t, ['90210'], 40);
    const bytes = readFileSync(place.segment);
    const secondBatch = bytes.readInt32BE(8) + 12;
    flipBit(place.segment, secondBatch + 100, 6);

    const verify = await place.spool('verify');
    assert.equal(verify.code, 1);
    assert.match(verify.out, new RegExp(`^${TOPIC} +\\d+ +3 +30 .* 1 +0 +10$`, 'm'));
    assert.ok(verify.err.includes(`damaged from byte ${secondBatch} on`), verify.err);

    const cat = await place.succeeds('cat');
    assert.deepEqual(printed(cat.out).map(numberOf), [...upTo(10), ...upTo(40).slice(20)]);
    assert.match(cat.err, /^sluice: .*damaged from byte \d+ on, skipped \d+ bytes\n$/);

    assert.match((await place.spool('rm', '--yes')).out, /^nothing was set aside/);
    await place.fill(t, [], 0);
    assert.match((await place.spool('ls')).out, /^total .* 1$/m);
    const refused = await place.spool('rm');
    assert.equal(refused.code, 64);
    assert.match(refused.out, /\.bad {2}/);
    assert.match(refused.err, /nothing was removed: .*--yes/);
    assert.match((await place.succeeds('rm', '--yes')).out, /removed 1 file,/);
    assert.match((await place.spool('ls')).out, /^total .* 0$/m);
    assert.ok(existsSync(place.segment));
  });

  it('whose last write was never finished is torn, and cat shows the records before it', async (t) => {
    const place = new Place(t, BATCHES_OF_TEN);
    await place.fill(t, ['90210'], 20);
    appendFileSync(place.segment, readFileSync(place.segment).subarray(0, 80 + randomInt(100)));
    const verify = await place.spool('verify');
    assert.equal(verify.code, 1);
    assert.match(verify.out, / 0 +1 +0$/m);
    assert.match(verify.err, /unfinished/);
    const cat = await place.spool('cat');
    assert.equal(printed(cat.out).length, 20);
    assert.equal(cat.err, '');
  });
});

describe('spool drain', () => {
  it('leaves everything in place and exits with 1 if it cannot reach Kafka in time', async (t) => {
    const place = new Place(t);
    await place.fill(t, ['90210'], 20);
    const before = readFileSync(place.segment);
    const { code, err } = await place.spool('drain', '--brokers', NOBODY, '--timeout', '500ms');
    assert.equal(code, 1);
    assert.match(
      err,
      /^sluice: not empty after 500ms: 20 records of weather\.metrics\.raw are left \(.*127\.0\.0\.1:1.*\n$/,
    );
    assert.deepEqual(readFileSync(place.segment), before);
    await place.succeeds('verify');
  });
});

describe('dead letters', () => {
  it('are shown apart from the readings by ls and cat, with their headers, and checked by verify', async (t) => {
    const place = await withLetters(t);
    const ls = await place.ls();
    assert.deepEqual([ls.total.records, ls.deadLetters.total.records], [10, 2]);
    assert.ok(ls.deadLetters.total.bytes > 0);
    const text = (await place.spool('ls')).out;
    assert.match(text, /^total +10 /m);
    assert.match(text, /^dead letters +unplaced +2 /m);

    assert.equal((await place.cat()).length, 10);
    const { out } = await place.succeeds('cat', '--dead-letters');
    assert.doesNotMatch(out, CONTROL_CHARACTERS);
    const letters = printed(out) as unknown as { value: string; headers: Record<string, string> }[];
    assert.deepEqual(
      letters.map(({ value, headers }) => [value, headers.reason, headers.zipcode]),
      [
        ['no json', 'invalid_json', '90210'],
        ['{"type":"\u001b[31m"}', 'invalid_json', '90210'],
      ],
    );
    const verify = await place.succeeds('verify');
    assert.match(verify.out, /^dead letters +unplaced +\d+ +2 /m);
  });

  it('stay on disk without a topic, and drain says so', async (t) => {
    const place = await withLetters(t);
    const env = { ...place.env, KAFKA_TOPIC_DEAD_LETTERS: '' };
    const drain = collect(start(['spool', 'drain', '--brokers', NOBODY, '--timeout', '500ms'], env));
    assert.equal((await drain).code, 1);
    assert.equal((await place.cat('--dead-letters')).length, 2);
  });
});

describe('the command line', () => {
  it('a missing directory is reported in one line, with exit code 1', async (t) => {
    const place = new Place(t);
    for (const args of EACH_COMMAND) {
      const { code, out, err } = await place.spool(...args);
      assert.equal(code, 1);
      assert.equal(out, '');
      assert.equal(err, `sluice: no spool at ${place.directory}\n`);
      assert.equal(existsSync(place.directory), false);
    }
  });

  it('each command refuses a spool that a newer program wrote, with exit code 78, and changes nothing', async (t) => {
    for (const part of ['.', 'process-1/dead-letters']) {
      const place = new Place(t);
      const newer = join(place.directory, part);
      mkdirSync(newer, { recursive: true });
      writeFileSync(join(newer, 'format'), '{"version":3}');
      for (const args of EACH_COMMAND) {
        const { code, out, err } = await place.spool(...args);
        assert.equal(code, 78, err);
        assert.equal(out, '');
        assert.ok(err.startsWith(`sluice: the spool in ${newer} has format version 3, `), err);
        assert.match(err, /Start the newer program again/);
      }
      assert.deepEqual(readdirSync(newer), ['format']);
    }
  });

  it('--dir is used instead of SPOOL_DIR', async (t) => {
    const place = new Place(t);
    const { code, err } = await place.spool('ls', '--dir', '/nowhere/else');
    assert.equal(code, 1);
    assert.equal(err, 'sluice: no spool at /nowhere/else\n');
  });

  for (const args of [
    ['frobnicate'],
    ['drain'],
    ['drain', '--brokers', 'nonsense'],
    ['drain', '--brokers', NOBODY, '--timeout', 'soon'],
    ['cat', '--from', '-1'],
    ['ls', 'extra'],
  ]) {
    it(`spool ${args.join(' ')} is refused with exit code 64`, async (t) => {
      const { code, out } = await new Place(t).spool(...args);
      assert.equal(code, 64);
      assert.equal(out, '');
    });
  }
});

it('the cursor is read as the gateway writes it, and ignored if it is damaged', async (t) => {
  const place = new Place(t);
  await place.fill(t, ['90210'], 1);
  const [partition] = await listLogs(place.directory);
  assert.ok(partition);
  const path = join(partition.directory, 'cursor');
  const cursor = await Cursor.open(path);
  for (const acknowledged of [5, 7, 2 ** 40]) {
    await cursor.write({ ...NEW_CURSOR, acknowledged });
    assert.equal(await readAcknowledged(partition), acknowledged);
  }
  await cursor.close();
  writeFileSync(path, Buffer.alloc(128, 1));
  assert.equal(await readAcknowledged(partition), undefined);
  rmSync(path);
  assert.equal(await readAcknowledged(partition), undefined);
});
