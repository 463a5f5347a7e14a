// The arithmetic of the calibration: the lines that it sends, the fit, and the constants of observations that are known.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromArrivals, fromMemory, fromSteady } from '../../plan/calibrate/constants-from.ts';
import { fit } from '../../plan/calibrate/fit.ts';
import { LinePool, MIN_LINE_BYTES } from '../../plan/calibrate/line-pool.ts';
import { SERVER_PROCESSES } from '../../plan/calibrate/stage.ts';
import type { Observation } from '../../plan/calibrate/steady.ts';
import { decodeLine } from '../../src/protocol/messages.ts';

const close = (measured: number | undefined, wanted: number, name: string): void =>
  assert.ok(
    Math.abs((measured ?? Number.NaN) - wanted) <= wanted * 1e-6,
    `${name}: ${measured} and not ${wanted}`,
  );

describe('the lines of the calibration', () => {
  for (const bytes of [MIN_LINE_BYTES, 200, 2_000])
    it(`have exactly ${bytes} bytes, and the gateway takes them`, () => {
      const pool = new LinePool(bytes);
      for (const seq of [1, 999, 12_345_678]) {
        const line = pool.next(seq);
        assert.equal(line.length, bytes);
        assert.equal(decodeLine(Buffer.from(line), 0, bytes - 1).type, 'metrics', line);
      }
    });
});

describe('the fit', () => {
  it('finds the terms of exact values', () => {
    const rows = [
      [1, 2],
      [2, 1],
      [5, 3],
      [0.1, 7],
    ];
    const found = fit(
      rows,
      rows.map(([a = 0, b = 0]) => 3 * a + 0.5 * b),
    );
    close(found[0], 3, 'first');
    close(found[1], 0.5, 'second');
  });

  it('makes no term negative', () => {
    const found = fit(
      [
        [1, 2],
        [2, 1],
        [3, 9],
      ],
      [1, 3, 1],
    );
    assert.ok(
      found.every((term) => term >= 0),
      found.join(),
    );
  });
});

describe('the constants of a calibration', () => {
  it('are those with which the observations were made', () => {
    const made = {
      idle: 0.01,
      message: 5,
      byte: 0.004,
      batch: 120,
      request: 900,
      tls: 7,
      broker: { idle: 0.03, request: 200, batch: 80, message: 2 },
    };
    const stored = { share: 0.4, record: 10, batch: 300, batchShare: 0.2 };
    const observe = (tls: boolean, messages: number, lineBytes: number, batches: number): Observation => {
      // In windows of 2 s: a process sends a request each 10 ms, and waits for the first record of the next.
      const perSecond = messages / 2 / SERVER_PROCESSES;
      const requests = 2 * SERVER_PROCESSES * (perSecond / (1 + perSecond * 0.01));
      const us =
        messages * (made.message + lineBytes * made.byte + (tls ? made.tls : 0)) +
        batches * made.batch +
        requests * made.request;
      const brokerUs =
        requests * made.broker.request + batches * made.broker.batch + messages * made.broker.message;
      const alone = Math.sqrt(batches / Math.max(1, messages));
      const bytes =
        stored.record + lineBytes * stored.share + (stored.batch + lineBytes * stored.batchShare) * alone;
      return {
        tls,
        lineBytes,
        seconds: 2,
        messages,
        batches,
        batchBytes: messages * bytes,
        serverSeconds: 2 * SERVER_PROCESSES * made.idle + us / 1e6,
        primarySeconds: 2 * 0.005,
        brokerSeconds: 2 * made.broker.idle + brokerUs / 1e6,
      };
    };
    const run = [false, true].flatMap((tls) => [
      observe(tls, 0, 200, 0),
      observe(tls, 600, 200, 500),
      observe(tls, 6_000, 200, 2_000),
      observe(tls, 15_000, 200, 2_500),
      observe(tls, 1_400, 2_000, 1_000),
      observe(tls, 6_000, 2_000, 2_000),
    ]);
    const found = fromSteady([run, run]);
    const wanted = {
      serverIdleCores: made.idle,
      primaryIdleCores: 0.005,
      messageUs: made.message,
      byteNs: made.byte * 1000,
      batchUs: made.batch,
      requestUs: made.request,
      tlsMessageUs: made.tls,
      brokerIdleCores: made.broker.idle,
      brokerRequestUs: made.broker.request,
      brokerBatchUs: made.broker.batch,
      brokerMessageUs: made.broker.message,
      storedShare: stored.share,
      storedRecordBytes: stored.record,
      storedBatchBytes: stored.batch,
      storedBatchShare: stored.batchShare,
    } as const;
    for (const [name, value] of Object.entries(wanted)) {
      const { value: all, low, high } = found[name as keyof typeof wanted] ?? { value: 0, low: 0, high: 0 };
      for (const one of [all, low, high]) close(one, value, name);
    }
  });

  it('are medians of the runs, and a handshake is what it adds to a plain arrival', () => {
    const cost = (kind: 'plain' | 'full' | 'resumed', serverUs: number) => ({
      kind,
      serverUs,
      primaryUs: 20,
    });
    const found = fromArrivals([
      cost('plain', 200),
      cost('full', 1_000),
      cost('resumed', 700),
      cost('plain', 220),
      cost('full', 1_100),
      cost('resumed', 750),
      cost('plain', 900),
      cost('full', 1_650),
      cost('resumed', 1_420),
    ]);
    assert.deepEqual(found.connectServerUs, { value: 220, low: 200, high: 900 });
    assert.deepEqual(found.handshakeUs, { value: 800, low: 750, high: 880 });
    assert.deepEqual(found.resumedHandshakeUs, { value: 520, low: 500, high: 530 });
    assert.deepEqual(found.connectPrimaryUs, { value: 20, low: 20, high: 20 });
  });

  it('leave out the kernel if only root could read it', () => {
    const cost = {
      serverBytes: 1,
      primaryBytes: 2,
      connectionBytes: 3,
      tlsConnectionBytes: 4,
      kernelBytes: Number.NaN,
    };
    const found = fromMemory([cost]);
    assert.deepEqual(found.tlsConnectionBytes, { value: 4, low: 4, high: 4 });
    assert.equal(found.kernelBytes, undefined);
  });
});
