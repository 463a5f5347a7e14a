// The tools of each `sluice dead` command: the client, the letters in the topic and on disk, and the end of the command.
// It sends nothing.

import type { Settings } from '../../config/settings.ts';
import { FileWatch } from '../../files/file-watch.ts';
import { type Codec, createCodec } from '../../kafka/batches/compression.ts';
import { headerMaker } from '../../kafka/batches/record-headers.ts';
import type { KafkaClient } from '../../kafka/client/kafka-client.ts';
import { createCluster } from '../../kafka/from-settings.ts';
import type { PipelineContext } from '../../kafka/pipelines/pipeline.ts';
import { TopicReadError } from '../../kafka/topics/topic-reader.ts';
import { isAdoptedSent } from '../../letters/adopted-letters.ts';
import { adoptedLetters, lettersOnDisk } from '../../letters/disk-letters.ts';
import { Judge } from '../../letters/judge.ts';
import type { Letter } from '../../letters/letter.ts';
import { isSelected, type Selection } from '../../letters/selection.ts';
import type { SentLetters } from '../../letters/sent-letters.ts';
import { TopicLetters } from '../../letters/topic-letters.ts';
import { createLogger } from '../../log/logger.ts';
import { decoderFor } from '../../protocol/line-decoder.ts';
import { say } from '../output.ts';
import type { SelectionOptions } from './command.ts';

/** Letters of one log on disk are looked at until the newest so many are known. */
const NEWEST_ON_DISK = 10_000;

/** That are named. */
const MAX_DAMAGES = 20;

export class Session {
  readonly settings: Settings;
  readonly codec: Codec;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly client: KafkaClient | undefined;
  readonly context: PipelineContext;
  /** Aborted by a first SIGINT or SIGTERM, and at the time limit of a look. */
  readonly signal: AbortSignal;
  /** The topic could not be read, and it was said why. */
  isTopicUnread = false;
  readonly #abort = new AbortController();
  readonly #files: FileWatch;
  readonly #stop = () => this.#abort.abort();
  readonly #damaged = (text: string) => {
    this.#damages++;
    if (this.#damages <= MAX_DAMAGES) say(`${text}: passed over`);
    if (this.#damages === MAX_DAMAGES) say('further places like these are passed over without a word');
  };
  #damages = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(given: Settings) {
    // With weaker acks Kafka would not recognise a batch whose answer was lost.
    const settings = { ...given, KAFKA_REQUIRED_ACKS: -1 as const };
    const log = createLogger({ ...settings, LOG_LEVEL: 'silent' }, process.stderr);
    this.#files = new FileWatch({ log });
    this.settings = settings;
    this.codec = createCodec(settings.KAFKA_COMPRESSION);
    this.client = createCluster(settings, { files: this.#files, log });
    this.context = { settings, codec: this.codec, cluster: this.client, log };
    this.signal = this.#abort.signal;
    process.once('SIGINT', this.#stop).once('SIGTERM', this.#stop);
  }

  /** Ends the reading after this time. */
  limit(ms: number): void {
    this.#timer = setTimeout(this.#stop, ms).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    process.off('SIGINT', this.#stop).off('SIGTERM', this.#stop);
    this.client?.close();
    this.#files.stop();
  }

  /** @param sent the same that `letters` has */
  judge(
    letters: TopicLetters | undefined,
    { sent, withCopies = false }: { sent: SentLetters; withCopies?: boolean | undefined },
  ): Judge {
    const { client, codec } = this;
    const isSent = (letter: Letter) => (letters?.isSent(letter) ?? false) || isAdoptedSent(sent, letter);
    const { settings } = this;
    const decoder = decoderFor(settings);
    const headersOf = headerMaker(settings.KAFKA_HEADERS);
    return new Judge({ client, codec, withCopies, isSent, decoder, headersOf });
  }

  /** As topicLetters(), but letters on disk are to be looked at even if Kafka cannot be reached. */
  async topicLettersToLookAt(sent: SentLetters): Promise<TopicLetters | undefined> {
    try {
      return await this.topicLetters(sent);
    } catch (error) {
      if (!(error instanceof TopicReadError)) throw error;
      say(`${error.message}. Only letters on disk are looked at`);
      this.isTopicUnread = true;
      return undefined;
    }
  }

  /** Undefined, and said why, if there is no such topic. @throws TopicReadError if it cannot be read */
  async topicLetters(sent: SentLetters): Promise<TopicLetters | undefined> {
    const { KAFKA_TOPIC_DEAD_LETTERS: topic, KAFKA_TOPIC_METRICS: metricsTopic } = this.settings;
    if (topic === null) {
      say('KAFKA_TOPIC_DEAD_LETTERS is empty: only letters on disk are looked at');
      return undefined;
    }
    if (this.client === undefined) {
      say('KAFKA_BROKERS is empty: only letters on disk are looked at');
      return undefined;
    }
    try {
      const letters = await TopicLetters.open(this.client, sent, {
        topic,
        metricsTopic,
        signal: this.signal,
        damaged: this.#damaged,
      });
      for (const partition of letters.recreated)
        say(
          `${topic}, partition ${partition}: the topic was created again since letters of it were sent, so its letters count as not sent`,
        );
      return letters;
    } catch (error) {
      if (!(error instanceof TopicReadError) || error.problem !== 'missing') throw error;
      say(`${error.message}: there are no letters in Kafka`);
      return undefined;
    }
  }

  /** The selected letters, first those on disk, then those in the topic. */
  async *letters(topic: TopicLetters | undefined, selection: Selection): AsyncGenerator<Letter[]> {
    yield* this.lettersOnDisk(selection);
    if (topic === undefined) return;
    try {
      for await (const letters of topic.read(selection))
        yield letters.filter((letter) => isSelected(letter, selection));
    } catch (error) {
      // The command says that it stopped early.
      if (!(error instanceof TopicReadError && this.signal.aborted)) throw error;
    }
  }

  async *adoptedLetters(selection: Selection): AsyncGenerator<Letter[]> {
    for await (const letters of adoptedLetters(this.#disk))
      yield letters.filter((letter) => isSelected(letter, selection));
  }

  get #disk() {
    const { SPOOL_DIR: root, KAFKA_TOPIC_METRICS: metricsTopic } = this.settings;
    return { root, metricsTopic, damaged: this.#damaged };
  }

  async *lettersOnDisk(selection: Selection): AsyncGenerator<Letter[]> {
    const newest = selection.last === undefined ? undefined : Math.min(selection.last, NEWEST_ON_DISK);
    let ring: Letter[] = [];
    let log = '';
    for await (const letters of lettersOnDisk(this.#disk)) {
      if (this.signal.aborted) return;
      const selected = letters.filter((letter) => isSelected(letter, selection));
      if (newest === undefined) {
        yield selected;
        continue;
      }
      const next = letters[0]?.place.kind === 'disk' ? letters[0].place.log : log;
      if (next !== log) {
        yield ring;
        ring = [];
        log = next;
      }
      ring = [...ring, ...selected].slice(-newest);
    }
    yield ring;
  }
}

export function selectionFrom({
  topic,
  reason = [],
  code = [],
  since,
  until,
  partition,
  offset,
}: SelectionOptions): Selection {
  const reasons = [...reason, ...code].flatMap((text) => text.toLowerCase().split(','));
  return {
    topic,
    reasons: reasons.length === 0 ? undefined : reasons,
    sinceMs: since,
    untilMs: until,
    partition,
    offset,
  };
}
