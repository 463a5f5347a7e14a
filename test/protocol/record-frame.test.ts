// The bytes around a reading, as frames give them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  linesFrame,
  MAX_FRAMES_BYTES,
  RecordFrame,
  receivedAtText,
  USUAL_FRAME_BYTES,
} from '../../src/protocol/record-frame.ts';

const AT_MS = Date.UTC(2026, 10, 21, 8, 0, 0, 123);
const AT = '2026-11-21T08:00:00.123Z';

const head = (frame: RecordFrame, ms = AT_MS) => frame.head(ms).toString();

describe('the time of reception', () => {
  it('is the ISO form, whichever time came before', () => {
    const times = [0, 5, 50, 999, 1000, 999, 59_999, 60_000, -1, 0];
    for (let step = 0, ms = AT_MS; step < 3000; step++, ms += (step * 7) % 400) times.push(ms, ms, ms - 300);
    for (const ms of times) assert.equal(receivedAtText(ms).toString(), new Date(ms).toISOString());
  });
});

describe('the frame of a device', () => {
  it('leaves out what the device did not give', () => {
    const frame = new RecordFrame({ connectionId: 'c' });
    assert.equal(head(frame), `{"connection_id":"c","received_at":"${AT}"`);
    assert.deepEqual([frame.zipcode, frame.city, frame.tags], [undefined, undefined, undefined]);
    assert.equal(frame.key.toString(), 'c', 'without a zipcode the key is the id of the connection');
    assert.equal(frame.lacksKey, true);
  });

  it('has the tags after the device_id', () => {
    const tags = '{"model":"T1","fw":3}';
    const frame = new RecordFrame({ connectionId: 'c', deviceId: 'truck-7', tags });
    assert.equal(
      head(frame),
      `{"connection_id":"c","received_at":"${AT}","device_id":"truck-7","tags":{"model":"T1","fw":3}`,
    );
    assert.equal(frame.tags, tags);
    assert.equal(head(frame, AT_MS + 1), head(frame).replace('123Z', '124Z'));
  });

  it('gives back city and zipcode whatever characters they have', () => {
    for (const text of ['Köln "Süd" \\ 東京', '🌧', 'K1A 0B1', '{"city":"x"}']) {
      const frame = new RecordFrame({ connectionId: 'c"', zipcode: text, city: text, tags: '{"city":1}' });
      assert.deepEqual([frame.zipcode, frame.city], [text, text]);
      const { zipcode, city } = JSON.parse(`${head(frame)}}`) as Record<string, unknown>;
      assert.deepEqual([zipcode, city], [text, text]);
    }
    assert.equal(new RecordFrame({ connectionId: 'c', city: 'x' }).city, 'x');
  });

  it('of a weather station takes less than 1 KiB, so a batch may have 1000 readings as ever', () => {
    const connectionId = 'c'.repeat(36);
    const device = { connectionId, zipcode: 'z'.repeat(16), deviceId: 'd'.repeat(64) };
    const frame = new RecordFrame({ ...device, city: '\u{1f3d9}'.repeat(128) });
    assert.equal(frame.excessBytes, 0);
    assert.ok(1000 * frame.bytes <= MAX_FRAMES_BYTES, `${frame.bytes} bytes`);
  });

  it('takes from the room of a reading what it and the letter of its record have beyond 1536 bytes', () => {
    const frameWith = (bytes: number) => new RecordFrame({ connectionId: 'c', tags: 't'.repeat(bytes) });
    // A letter adds 512 bytes.
    const fits = 500 + USUAL_FRAME_BYTES - 512 - frameWith(500).bytes;
    assert.equal(frameWith(fits).excessBytes, 0);
    assert.equal(frameWith(fits + 1).excessBytes, 1);
    assert.equal(frameWith(fits + 500).excessBytes, 500);
  });
});

describe('the frame of plain lines', () => {
  it('is empty, or an object that says where the line came from', () => {
    const plain = linesFrame({ connectionId: 'c' });
    assert.deepEqual([head(plain), plain.tail.toString(), plain.key.toString()], ['', '', 'c']);
    const wrapped = linesFrame({ connectionId: 'c', key: Buffer.from('k') }, { remoteAddress: '10.0.0.7' });
    assert.equal(head(wrapped), `{"received_at":"${AT}","remote_address":"10.0.0.7","data":`);
    assert.deepEqual([wrapped.tail.toString(), wrapped.key.toString()], ['}', 'k']);
    assert.deepEqual([plain.zipcode, plain.city, wrapped.city], [undefined, undefined, undefined]);
  });
});
