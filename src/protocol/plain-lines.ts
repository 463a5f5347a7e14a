// How the lines of a sender that is no device become records (TCP_LINES_PORT). The same for all of its connections.
import { PlainScan } from './plain-line.ts';
import { linesFrame, type RecordFrame, type RecordHeaders } from './record-frame.ts';

export interface PlainLinesOptions {
  readonly framing: 'lf' | 'octet-counted';
  readonly isWrapped: boolean;
  /** The field that is the key; null = the connection's id is. */
  readonly keyField: string | null;
  /** The field that names the topic; null = all lines go to one. */
  readonly topicField: string | null;
}

export class PlainLines {
  readonly options: PlainLinesOptions;
  /** Shared, because a line is scanned and appended without an await. */
  readonly scan: PlainScan;

  constructor(options: PlainLinesOptions) {
    const { keyField: key, topicField: topic, framing } = options;
    this.options = options;
    this.scan = new PlainScan({ key, topic, allowsLf: framing === 'octet-counted' });
  }

  frameOf(connectionId: string, remoteAddress: string, headers?: RecordHeaders): RecordFrame {
    const lacksKey = this.options.keyField !== null;
    return linesFrame(
      { connectionId, headers, lacksKey },
      this.options.isWrapped ? { remoteAddress } : undefined,
    );
  }
}
