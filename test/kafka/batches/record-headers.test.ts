// The headers of records in the bytes of a batch, read by the simulated broker's code, which shares none with the writer.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readRecords } from '../../../simulation/brokers/records.ts';
import { MAX_CONSTANT_BYTES, MAX_HEADERS, parseHeaders } from '../../../src/config/identity-kinds.ts';
import { Batcher } from '../../../src/kafka/batches/batcher.ts';
import { createCodec } from '../../../src/kafka/batches/compression.ts';
import { partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { RecordBatchWriter, recordBound } from '../../../src/kafka/batches/record-batch.ts';
import { type HeaderFacts, headerMaker } from '../../../src/kafka/batches/record-headers.ts';
import { linesFrame, RecordFrame } from '../../../src/protocol/record-frame.ts';
import type { Reading } from '../../../src/workers/record-sink.ts';
import { fakeSession, reading } from '../delivery/fakes.ts';

const AT_MS = Date.UTC(2026, 10, 21, 8, 0, 0, 123);
const FACTS: HeaderFacts = { connectionId: 'c-1', remoteAddress: '10.0.0.7', deviceId: 'truck-7' };
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function settings(list: string) {
  const headers = parseHeaders(list);
  assert.ok(headers !== undefined, `${list} is not allowed`);
  return headers;
}

const frameWith = (list: string, facts: HeaderFacts = FACTS) =>
  new RecordFrame({
    connectionId: 'c-1',
    zipcode: '1',
    city: 'C',
    headers: headerMaker(settings(list))(facts),
  });

async function recordsOf(writer: RecordBatchWriter) {
  const count = writer.count;
  const { bytes } = await writer.seal(createCodec('none'));
  return readRecords(bytes.subarray(61), count);
}

/** The headers of the record of each reading. */
async function headersOf(frame: RecordFrame, ...readings: readonly Partial<Reading>[]) {
  const writer = new RecordBatchWriter(256);
  for (const one of readings) {
    const wanted = reading('{"n":1}', { receivedAtMs: AT_MS, ...one });
    const size = writer.append(frame, wanted);
    assert.ok(size <= recordBound(frame, wanted.end, wanted.key), 'no record is larger than its bound');
  }
  const records = await recordsOf(writer);
  return records.map(({ headers }) => headers.map(([name, value]) => `${name}=${value}`));
}

describe('KAFKA_HEADERS', () => {
  it('without a value gives no headers', async () => {
    assert.equal(headerMaker(settings(''))(FACTS), undefined);
    assert.deepEqual(await headersOf(frameWith(''), {}), [[]]);
  });

  it('has constants and facts of the device, in the order of the list', async () => {
    const frame = frameWith('site=berlin%2C%20west, remote_address,device_id ,x=1');
    const expected = ['site=berlin, west', 'remote_address=10.0.0.7', 'device_id=truck-7', 'x=1'];
    assert.deepEqual(await headersOf(frame, {}, {}), [expected, expected]);
  });

  it('leaves out the device_id of a device without one', async () => {
    const frame = frameWith('device_id', { ...FACTS, deviceId: undefined });
    assert.deepEqual(await headersOf(frame, {}), [[]]);
  });

  it('shares constants among all connections', () => {
    const maker = headerMaker(settings('a=1,b=2'));
    assert.equal(maker(FACTS), maker({ ...FACTS, connectionId: 'c-2' }));
  });

  it('has the traceparent of the records that have one, and no other', async () => {
    const traceparent = Buffer.from(TRACE);
    const frame = frameWith('traceparent,a=1');
    assert.deepEqual(await headersOf(frame, {}, { traceparent }, {}), [
      ['a=1'],
      ['a=1', `traceparent=${TRACE}`],
      ['a=1'],
    ]);
    assert.deepEqual(await headersOf(frameWith('a=1'), { traceparent }), [['a=1']]);
  });

  it('has the attributes of CloudEvents, with an id of its own for each record', async () => {
    const [first = [], second = []] = await headersOf(
      frameWith('cloudevents'),
      {},
      { receivedAtMs: AT_MS + 1 },
    );
    assert.deepEqual(first.toSorted(), [
      'ce_id=c-1-0000000000000001',
      'ce_source=/sluice',
      'ce_specversion=1.0',
      'ce_time=2026-11-21T08:00:00.123Z',
      'ce_type=sluice.reading',
      'content-type=application/json',
    ]);
    assert.ok(second.includes('ce_id=c-1-0000000000000002'));
    assert.ok(second.includes('ce_time=2026-11-21T08:00:00.124Z'));
  });

  it('lets constants choose source, type and content type, before and behind the word', async () => {
    const list =
      'ce_type=com.example.reading,cloudevents,ce_source=urn%3Agateway%3A1,content-type=application/x';
    const [headers = []] = await headersOf(frameWith(list), {});
    assert.equal(headers.length, 6);
    for (const header of [
      'ce_type=com.example.reading',
      'ce_source=urn:gateway:1',
      'content-type=application/x',
    ])
      assert.ok(headers.includes(header), header);
    assert.equal(parseHeaders('cloudevents,ce_id=1'), undefined, 'an id cannot be constant');
  });

  it("has a schema's id in the bytes of Confluent's and Apicurio's serializers", () => {
    const bytesOf = (list: string) => {
      const [header] = settings(list);
      assert.ok(typeof header?.from === 'object');
      return Buffer.from(header.from.constant).toString('hex');
    };
    const guid = '89791762-2336-4186-9674-299b90a802e2';
    assert.equal(bytesOf(`__value_schema_id=guid:${guid}`), `01${guid.replaceAll('-', '')}`);
    assert.equal(bytesOf('apicurio.value.globalId=int64:17'), '0000000000000011');
    assert.equal(bytesOf('apicurio.value.contentId=int64:-1'), 'f'.repeat(16));
    assert.equal(bytesOf('x=int32:2147483647'), '7fffffff');
    assert.equal(bytesOf('x=%69nt32:1'), Buffer.from('int32:1').toString('hex'), 'an escape makes it a text');
  });

  it('refuses what it does not know', () => {
    const guid = '89791762-2336-4186-9674-299b90a802e2';
    for (const list of [
      'remote',
      'a',
      'a=',
      '=1',
      'a=1,',
      'a=1,a=2',
      'device_id,device_id',
      'device_id,device_id=7',
      'cloudevents,cloudevents',
      'a b=1',
      'a=%00',
      'a=%zz',
      `a=guid:${guid}0`,
      'a=guid:x',
      'a=int32:2147483648',
      'a=int64:9223372036854775808',
      'a=int64:1.5',
      'a=int64:',
    ])
      assert.equal(parseHeaders(list), undefined, list);
  });

  it('is limited in number and bytes', () => {
    const list = (count: number) => Array.from({ length: count }, (_, index) => `h${index}=1`).join();
    assert.equal(settings(list(MAX_HEADERS)).length, MAX_HEADERS);
    assert.equal(parseHeaders(list(MAX_HEADERS + 1)), undefined);
    assert.equal(parseHeaders(`${list(MAX_HEADERS - 5)},cloudevents`), undefined, 'CloudEvents are six');
    assert.equal(settings(`${list(MAX_HEADERS - 6)},cloudevents`).length, MAX_HEADERS);
    assert.ok(settings(`a=${'x'.repeat(MAX_CONSTANT_BYTES - 1)}`));
    assert.equal(parseHeaders(`a=${'x'.repeat(MAX_CONSTANT_BYTES)}`), undefined);
  });

  it('with everything at its largest keeps the bound of a record', async () => {
    const constants = Array.from({ length: 23 }, (_, index) => `c${index}=${'x'.repeat(40)}`).join();
    const list = `${constants},cloudevents,remote_address,device_id,traceparent`;
    const facts = {
      connectionId: 'c'.repeat(36),
      remoteAddress: `${'f'.repeat(39)}%eth0`,
      deviceId: 'd'.repeat(64),
    };
    const [headers] = await headersOf(frameWith(list, facts), { traceparent: Buffer.from(TRACE) });
    assert.equal(headers?.length, MAX_HEADERS);
  });
});

describe('a record', () => {
  it('of a plain line has the line byte for byte, or in an object', async () => {
    const line = Buffer.from('{ "host": "box",  "n": 1.50 }');
    const raw = { bytes: line, start: 0, end: line.length, whitespace: 0, receivedAtMs: AT_MS };
    const writer = new RecordBatchWriter(64);
    const wrapped = linesFrame({ connectionId: 'c-1' }, { remoteAddress: '10.0.0.7' });
    for (const frame of [linesFrame({ connectionId: 'c-1' }), wrapped]) writer.append(frame, raw);
    const values = (await recordsOf(writer)).map(({ value }) => `${value}`);
    assert.deepEqual(values, [
      `${line}`,
      `{"received_at":"2026-11-21T08:00:00.123Z","remote_address":"10.0.0.7","data":${line}}`,
    ]);
  });

  it('with a key of its own goes to the partition of that key', async () => {
    const open = new Map<number, RecordBatchWriter>();
    const batcher = new Batcher(
      { maxRecords: 1000, maxBytes: 100_000, lingerMs: 60_000, maxMessageBytes: 1_000_000 },
      {
        budget: { take: () => {}, hasRoom: () => true, room: () => Promise.resolve(true) } as never,
        sink: {
          isBusy: () => false,
          growth: () => 1,
          compressionRatio: 1,
          deliver: ({ partition, writer }) => open.set(partition, writer),
        },
      },
    );
    batcher.setPartitions(7);
    const session = fakeSession('90210');
    const keys = ['a', 'b', 'c', 'dd', 'e-e', 'ü'];
    for (const key of keys) batcher.append(session, reading('{"n":1}', { key: Buffer.from(key) }));
    batcher.append(session, reading('{"n":1}'));
    batcher.flush();
    batcher.stop();
    const placed = await Promise.all(
      [...open].map(async ([partition, writer]) =>
        (await recordsOf(writer)).map(({ key }) => [`${key}`, partition] as const),
      ),
    );
    const expected = [...keys, '90210'].map((key) => [key, partitionOf(Buffer.from(key), 7)] as const);
    assert.deepEqual(placed.flat().toSorted(), expected.toSorted());
    assert.equal(batcher.withoutKey, 0);
  });
});
