// Log: how the table's lines look to programs and to people, levels at run time, and limited lines.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesText, countText, timeText } from '../../src/config/amounts.ts';
import { createLogger } from '../../src/log/logger.ts';
import { recordedLog, textStream } from '../support/log.ts';

function output(format: 'json' | 'pretty') {
  const { stream, text } = textStream();
  const log = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: format }, stream);
  return { log, text };
}

const WAIT = { holder: 71, owner: 'pid 71', directory: '/data', waitMs: 65_000 };

describe('a line', () => {
  it('as JSON has its name, its level and its fields as numbers, and the text for people', () => {
    const { log, text } = output('json');
    log.write('spool_lock_waited', WAIT);
    const { event, level, holder, waitMs, directory, msg } = JSON.parse(text());
    assert.deepEqual(
      [event, level, holder, waitMs, directory],
      ['spool_lock_waited', 'warn', 71, 65_000, '/data'],
    );
    assert.match(msg, /of Sluice, pid 71: waiting up to 1m 5s for/);
  });

  it('for people has no field twice, and the name only from a warning on', () => {
    const { log, text } = output('pretty');
    log.write('spool_lock_waited', WAIT);
    assert.match(text(), /1m 5s.*\{"event":"spool_lock_waited","holder":71\}\n$/);
    log.write('statistics', { summary: 'Statistics: queue=7', stats: { queue: 7 } });
    assert.match(text(), /INFO: Statistics: queue=7\n$/);
  });

  it('shows counts, sizes and times with units, and an unknown field as such', () => {
    const { log, lines } = recordedLog();
    log.write('connection_closed', {
      connectionId: 'c',
      remoteAddress: '::1',
      reason: 'reset',
      receivedBytes: 1_572_864,
      receivedLines: 9837,
      openMs: 250,
    });
    assert.match(lines[0]?.msg ?? '', /after 250ms \(reset\): 1\.5 MiB in 9,837 lines/);
    log.write('connection_identified', { connectionId: 'c', remoteAddress: '::1' });
    assert.match(lines[1]?.msg ?? '', /unknown/);
  });
});

describe('amounts', () => {
  it('are rounded, with a unit that fits', () => {
    const shown = [1023, 1_048_575, 2 ** 30 - 1, 999.4].map((bytes) => bytesText(bytes));
    assert.deepEqual(shown, ['1023 B', '1.0 MiB', '1.0 GiB', '999 B']);
    const times = [0, 999.6, 59_700, 60_000, 90_061_000].map((ms) => timeText(ms));
    assert.deepEqual(times, ['0ms', '1s', '1m', '1m', '1d 1h']);
    const { log, lines } = recordedLog();
    log.write('spool_lock_waited', { ...WAIT, waitMs: 1000.4 });
    assert.equal(lines[0]?.waitMs, 1000);
  });

  it('have commas between the thousands, as toLocaleString writes them', () => {
    for (const count of [
      0,
      7,
      999,
      1000,
      12_345,
      1_234_567,
      1234.5,
      0.0004,
      1999.9996,
      -1000,
      -12_345.678,
      2 ** 53,
    ])
      assert.equal(countText(count), count.toLocaleString('en-US'));
  });
});

describe('the level', () => {
  it('changes at run time, also for logs that were made before', () => {
    const { log, text } = output('json');
    const ofProcess = log.ofProcess(3);
    const quiet = log.quiet();
    log.write('leaders_asked', { reason: 'first' });
    quiet.write('kafka_brokers_empty');
    assert.equal(text(), '');
    log.setLevel('debug');
    assert.ok(ofProcess.isDebug && quiet.isDebug && log.level === 'debug');
    ofProcess.write('leaders_asked', { reason: 'second' });
    quiet.write('kafka_brokers_empty');
    const [first = '', second = ''] = text().split('\n');
    assert.deepEqual([JSON.parse(first).process, JSON.parse(first).reason], [3, 'second']);
    assert.equal(JSON.parse(second).level, 'debug');
    log.setLevel('error');
    const before = text();
    ofProcess.write('kafka_brokers_empty');
    assert.equal(text(), before);
  });
});

describe('several processes', () => {
  it('say once what each of them would say, and each what concerns it', () => {
    const { log, lines } = recordedLog();
    for (const process of [0, 1]) {
      log.ofProcess(process).write('kafka_brokers_empty');
      log.ofProcess(process).write('process_returned', { process });
    }
    assert.deepEqual(
      lines.map(({ event, level, process }) => [event, level, process]),
      [
        ['kafka_brokers_empty', 40, undefined],
        ['process_returned', 30, 0],
        ['kafka_brokers_empty', 20, 1],
        ['process_returned', 30, 1],
      ],
    );
  });
});

describe('limited lines', () => {
  it('come once in their time, with the latest fields and the number of times, for each kind', () => {
    const { log, lines } = recordedLog();
    const limited = log.limited(() => 0);
    const write = (remoteAddress: string, protocol: string) =>
      limited.write('protocol_wrong', { protocol, remoteAddress }, protocol);
    write('a', 'http');
    write('b', 'http');
    write('c', 'http');
    write('d', 'tls');
    const said = () => lines.map(({ remoteAddress, count }) => [remoteAddress, count]);
    assert.deepEqual(said(), [
      ['a', 1],
      ['d', 1],
    ]);
    limited.flush();
    assert.deepEqual(said().slice(2), [['c', 2]]);
  });
});
