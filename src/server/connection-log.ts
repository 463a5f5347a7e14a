// Logs each connection and each refused line at level debug. While that level is off it does nothing. Of refused lines it
// shows the first bytes without tokens, and at most so many a second: an attack must not fill the log.
import type { Log } from '../log/log.ts';
import type { Code } from '../protocol/codes.ts';
import { lineSample } from '../protocol/line-sample.ts';
import type { LineBytes } from '../queue/job.ts';
import type { Connection } from './connection.ts';

const MAX_SAMPLE_BYTES = 200;
const MAX_LINES_A_SECOND = 50;

export class ConnectionLog {
  readonly #log: Log;
  #secondEndsAtMs = 0;
  #linesThisSecond = 0;
  #skipped = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  opened({ id: connectionId, remoteAddress }: Connection): void {
    if (this.#log.isDebug) this.#log.write('connection_opened', { connectionId, remoteAddress });
  }

  identified({ id: connectionId, remoteAddress, deviceId, frame }: Connection): void {
    if (!this.#log.isDebug) return;
    const zipcode = frame?.zipcode;
    const otherIdentity = deviceId === undefined ? undefined : `device_id ${deviceId}`;
    const identity = zipcode === undefined ? otherIdentity : `zipcode ${zipcode}`;
    this.#log.write('connection_identified', { connectionId, remoteAddress, deviceId, zipcode, identity });
  }

  closed(connection: Connection): void {
    if (!this.#log.isDebug) return;
    const { id: connectionId, remoteAddress, deviceId, closeReason: reason } = connection;
    const { receivedBytes, receivedLines, openedAtMs } = connection;
    const openMs = Math.round(performance.now() - openedAtMs);
    this.#log.write('connection_closed', {
      connectionId,
      remoteAddress,
      deviceId,
      reason,
      receivedBytes,
      receivedLines,
      openMs,
    });
  }

  lineRefused({ id: connectionId, remoteAddress, deviceId }: Connection, code: Code, line: LineBytes): void {
    if (!this.#log.isDebug) return;
    const now = performance.now();
    if (now >= this.#secondEndsAtMs) {
      this.#secondEndsAtMs = now + 1000;
      this.#linesThisSecond = 0;
    }
    if (++this.#linesThisSecond > MAX_LINES_A_SECOND) {
      this.#skipped++;
      return;
    }
    const skipped = this.#skipped;
    this.#skipped = 0;
    const bytes = line.end - line.start;
    this.#log.write('line_refused', {
      connectionId,
      remoteAddress,
      deviceId,
      code,
      bytes,
      sample: sampleOf(line),
      ...(skipped > 0 && { skipped }),
    });
  }
}

function sampleOf(line: LineBytes): string {
  const text = lineSample(line, MAX_SAMPLE_BYTES);
  return line.end - line.start > MAX_SAMPLE_BYTES ? `${text}...` : text;
}
