// The ring of connections that were closed last.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordFrame } from '../../src/protocol/record-frame.ts';
import { ClosedConnections } from '../../src/server/closed-connections.ts';
import { factsOfArrival } from '../../src/server/connection-facts.ts';
import { TLS_PORT } from '../../src/server/port.ts';

test('the ring keeps the last 1,000, as plain facts', () => {
  const ring = new ClosedConnections();
  const arrival = { address: '2001:db8::1', port: TLS_PORT, acceptedAtMs: 1 } as const;
  const heavy = { buffers: Buffer.alloc(1000) };
  for (let n = 0; n < 2500; n++) {
    const facts = factsOfArrival('tls', { ...arrival, id: `${n}` });
    ring.add({ ...facts, ...heavy, deviceId: 'd'.repeat(64), closeReason: 'reset' });
  }
  const kept = [...ring.values()];
  assert.equal(ring.size, 1000);
  assert.deepEqual(
    kept.map(({ id }) => Number(id)).sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, n) => 1500 + n),
  );
  for (const facts of kept) {
    assert.ok(!('buffers' in facts));
    assert.deepEqual([facts.stage, facts.isTls, facts.end?.reason], ['closing', true, 'reset']);
    assert.ok((facts.end?.atMs ?? 0) > 0);
  }
});

for (const city of [
  'x',
  'Zürich "Ost" \\ 東京',
  '🌧'.repeat(128),
  '"\\'.repeat(64),
  '","received_at":"',
  '\u2028',
]) {
  test(`the city ${JSON.stringify(city).slice(0, 30)} of a connection is read back from the bytes of its records`, () => {
    for (const deviceId of [undefined, 'roof-7']) {
      const frame = new RecordFrame({ connectionId: 'c-1', zipcode: 'CH-3000', city, deviceId });
      assert.equal(frame.city, city);
      frame.head(1_700_000_000_000);
      assert.equal(frame.city, city);
    }
  });
}
