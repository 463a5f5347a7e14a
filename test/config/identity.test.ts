// The settings of identity, keys and headers: their forms, and which combinations give a warning.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accepted, problems } from './loading.ts';

const warningsOf = (env: Record<string, string>) =>
  accepted(env).warnings.filter((warning) => warning.startsWith('KAFKA_KEY'));

describe('TCP_IDENTIFY', () => {
  it('is a list of fields, each once', () => {
    assert.deepEqual(accepted({}).settings.TCP_IDENTIFY, ['zipcode', 'city']);
    const list = 'device_id, tags.fleet number,tags.ü ,city,zipcode,city';
    const fields = ['device_id', 'tags.fleet number', 'tags.ü', 'city', 'zipcode'];
    assert.deepEqual(accepted({ TCP_IDENTIFY: list }).settings.TCP_IDENTIFY, fields);
  });

  it('is nothing if it is empty', () => {
    assert.deepEqual(accepted({ TCP_IDENTIFY: '' }).settings.TCP_IDENTIFY, []);
  });

  it('refuses other fields', () => {
    for (const list of ['token', 'zip', 'zipcode,', 'tags', 'tags.', `tags.${'x'.repeat(65)}`, 'tags.a\tb'])
      assert.match(problems({ TCP_IDENTIFY: list }).join(), /TCP_IDENTIFY/, list);
  });
});

describe('KAFKA_KEY', () => {
  it('is one of the fields that identify a device', () => {
    for (const key of ['zipcode', 'device_id', 'tags.fleet'])
      assert.equal(accepted({ KAFKA_KEY: key }).settings.KAFKA_KEY, key);
    for (const key of ['city', 'connection_id', 'tags.', 'tags.a,tags.b'])
      assert.match(problems({ KAFKA_KEY: key }).join(), /KAFKA_KEY/, key);
  });

  it('gives a warning if a device may leave it out', () => {
    assert.deepEqual(warningsOf({}), []);
    assert.deepEqual(warningsOf({ TCP_IDENTIFY: 'tags.a', KAFKA_KEY: 'tags.a' }), []);
    assert.match(
      warningsOf({ KAFKA_KEY: 'tags.a' }).join(),
      /^KAFKA_KEY=tags\.a is not among TCP_IDENTIFY=zipcode,city/,
    );
    assert.match(warningsOf({ TCP_IDENTIFY: 'device_id' }).join(), /add zipcode to TCP_IDENTIFY/);
  });
});

describe('KAFKA_HEADERS', () => {
  it('is a list whose form is explained if it is refused', () => {
    assert.deepEqual(accepted({}).settings.KAFKA_HEADERS, []);
    const names = accepted({ KAFKA_HEADERS: 'a=1, cloudevents' }).settings.KAFKA_HEADERS.map(
      ({ name }) => name,
    );
    assert.equal(names.length, 7);
    assert.match(problems({ KAFKA_HEADERS: 'a' }).join(), /KAFKA_HEADERS.*name=value.*At most 32 headers/);
  });
});
