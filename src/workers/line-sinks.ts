// The topics of plain lines: one for all, or the one that a field of the line names among those that are allowed.
import { type FoundValue, scalarBytes } from '../protocol/plain-line.ts';
import type { RecordSink } from './record-sink.ts';

export class LineSinks {
  /** Lines whose field named no allowed topic. */
  withoutTopic = 0;
  /** A connection's lines may go to several topics, so its own partition does not count. */
  readonly areSeveral: boolean;
  readonly #usual: RecordSink;
  readonly #byName: ReadonlyMap<string, RecordSink>;

  /**
   * @param usual for lines that name no topic
   * @param byName the topics that a line may name
   */
  constructor(usual: RecordSink, byName: ReadonlyMap<string, RecordSink> = new Map()) {
    this.#usual = usual;
    this.#byName = byName;
    this.areSeveral = byName.size > 0;
  }

  /** @param name the field of the line */
  sinkOf(bytes: Uint8Array, name: FoundValue): RecordSink {
    if (!this.areSeveral) return this.#usual;
    const named = this.#byName.get(textOf(bytes, name));
    if (named === undefined) this.withoutTopic++;
    return named ?? this.#usual;
  }

  /** Undefined if the field names none that is allowed. @param name the field of the line */
  topicOf(bytes: Uint8Array, name: FoundValue): string | undefined {
    const text = textOf(bytes, name);
    return this.#byName.has(text) ? text : undefined;
  }
}

function textOf(bytes: Uint8Array, name: FoundValue): string {
  return scalarBytes(bytes, name)?.toString('latin1') ?? '';
}
