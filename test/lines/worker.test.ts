// A plain line in the hands of a worker: its record's key, topic and size, and the lines that it refuses.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlainLines, type PlainLinesOptions } from '../../src/protocol/plain-lines.ts';
import type { IdentifiedSession } from '../../src/queue/job.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import { LineSinks } from '../../src/workers/line-sinks.ts';
import type { Reading, RecordSink } from '../../src/workers/record-sink.ts';
import { Worker } from '../../src/workers/worker.ts';
import { CONNECTION_ID, NotingSession } from '../support/session.ts';

interface Appended {
  readonly key: string | undefined;
  readonly value: string;
}

class NotingSink implements RecordSink {
  maxReadingBytes: number;
  readonly appended: Appended[] = [];

  constructor(maxReadingBytes = 1000) {
    this.maxReadingBytes = maxReadingBytes;
  }

  hasRoom = () => true;
  room = () => Promise.resolve(true);

  append(_: IdentifiedSession, { bytes, start, end, key }: Reading) {
    this.appended.push({ key: key?.toString(), value: Buffer.from(bytes.subarray(start, end)).toString() });
    return { settled: () => Promise.resolve() };
  }
}

const OPTIONS: PlainLinesOptions = { framing: 'lf', isWrapped: false, keyField: null, topicField: null };

class SenderSession extends NotingSession {
  readonly plain: PlainLines;

  constructor(options: Partial<PlainLinesOptions>) {
    super();
    this.plain = new PlainLines({ ...OPTIONS, ...options });
    this.frame = this.plain.frameOf(CONNECTION_ID, '192.0.2.7');
  }
}

function place(
  options: Partial<PlainLinesOptions> = {},
  topics: ReadonlyMap<string, NotingSink> = new Map(),
) {
  const main = new NotingSink();
  const sinks = new LineSinks(main, topics);
  const session = new SenderSession(options);
  const worker = new Worker(new NotingSink(), new TurnBudget(), undefined, undefined, sinks);
  return { main, sinks, session, handle: (line: string) => worker.handle(session.job(line)) };
}

describe('a plain line', () => {
  it('is appended as sent, with the key and the partition of its connection', () => {
    const { main, session, handle } = place();
    handle(' {"type":"metrics","data":{}} ');
    assert.deepEqual(main.appended, [{ key: undefined, value: '{"type":"metrics","data":{}}' }]);
    assert.deepEqual(
      [session.accepted, session.finished, session.frame?.key.toString()],
      [1, 1, CONNECTION_ID],
    );
  });

  it('has the key that its field names, or else that of the connection', () => {
    const { main, handle } = place({ keyField: 'host' });
    handle('{"host":"a"}');
    handle('{"host":[]}');
    assert.deepEqual(
      main.appended.map(({ key }) => key),
      ['a', CONNECTION_ID],
    );
  });

  it('goes to the topic that its field names, if that is allowed, and is counted otherwise', () => {
    const topics = new Map([['logs', new NotingSink()]]);
    const { main, sinks, handle } = place({ topicField: 'topic' }, topics);
    for (const topic of ['"logs"', '"l\\u006fgs"', '"other"', '7', 'null']) handle(`{"topic":${topic}}`);
    handle('{}');
    assert.deepEqual(
      topics.get('logs')?.appended.map(({ value }) => value),
      ['{"topic":"logs"}', '{"topic":"l\\u006fgs"}'],
    );
    assert.equal(main.appended.length, 4);
    assert.equal(sinks.withoutTopic, 4);
    // Several topics: the partition of the connection is that of one of them.
    assert.deepEqual(new Set(main.appended.map(({ key }) => key)), new Set([CONNECTION_ID]));
  });

  it('may be as large as its topic allows, and is refused if it is larger', () => {
    const { main, session, handle } = place();
    const line = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    handle(line(1000));
    handle(line(1001));
    assert.equal(main.appended.length, 1);
    assert.deepEqual(
      session.refused.map(({ code }) => code),
      ['record_too_large'],
    );
    assert.equal(session.finished, 2);
  });

  it('has less room if its key and headers are large', () => {
    const { main, session, handle } = place({ keyField: 'k' });
    const headers = { maxBytes: 600, next: () => Buffer.from([0]) };
    session.frame = session.plain.frameOf(CONNECTION_ID, '192.0.2.7', headers);
    const line = (bytes: number, key: string) => {
      const start = `{"k":"${key}","a":"`;
      return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
    };
    const key = 'k'.repeat(200);
    const excess = session.frame.excessWith(Buffer.from(key));
    assert.ok(excess > 0);
    handle(line(1000 - excess, key));
    handle(line(1001 - excess, key));
    assert.deepEqual([main.appended.length, session.refused.length], [1, 1]);
  });

  it('that is blank is accepted and makes no record', () => {
    const { main, session, handle } = place();
    handle('');
    handle(' \t ');
    assert.deepEqual([session.accepted, session.refused.length, main.appended.length], [2, 0, 0]);
  });

  it('that is no object is refused with its code', () => {
    const { session, handle } = place({ keyField: 'host' });
    for (const line of ['[]', '{"host":"a"', 'x']) assert.equal(handle(line), undefined);
    assert.deepEqual(
      session.refused.map(({ code, message }) => [code, message]),
      [
        ['invalid_json', 'the line is not a JSON object'],
        ['invalid_json', 'the line is not valid JSON'],
        ['invalid_json', 'the line is not a JSON object'],
      ],
    );
    assert.equal(session.accepted, 0);
  });
});
