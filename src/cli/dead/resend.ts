// `sluice dead resend`: sends letters again. It shows its plan and asks. Then it sends the rest of an earlier run, gives
// the letters on disk to their topic, and takes the selected letters of the topic some at a time.
import { EXIT_USAGE } from '../../config/exit-codes.ts';
import { adoptedLogOf, adoptLetters, removeSent } from '../../letters/adopted-letters.ts';
import type { Letter, LetterPlace } from '../../letters/letter.ts';
import { Outbox, readSent, type SendResult, type TakenLetter, type Until } from '../../letters/outbox.ts';
import { isSelected, type Selection } from '../../letters/selection.ts';
import { type LetterLog, MAX_RANGES, type SentLetters } from '../../letters/sent-letters.ts';
import type { TopicLetters } from '../../letters/topic-letters.ts';
import { SpoolLockedError } from '../../spool/lock.ts';
import { ownerText } from '../../spool/lock-owner.ts';
import { confirm } from '../confirm.ts';
import { say } from '../output.ts';
import { drainSpool } from '../spool/drain-spool.ts';
import { Progress } from '../spool/progress.ts';
import type { ResendOptions } from './command.ts';
import { Plan } from './plan.ts';
import { type Session, selectionFrom } from './session.ts';

/** So much is taken and sent at once. The letter that reaches it is still part of it. */
const CHUNK_BYTES = 8 * 2 ** 20;
const CHUNK_LETTERS = 10_000;
/** Letters on disk get so long to reach their topic. */
const TO_TOPIC_MS = 30_000;

export async function resend(session: Session, options: ResendOptions): Promise<number> {
  if (session.client === undefined) {
    say('KAFKA_BROKERS is empty: nothing can be sent. Use --brokers');
    return EXIT_USAGE;
  }
  if (options.dryRun) {
    const sent = await readSent(session.settings.SPOOL_DIR);
    const plan = await planOf(session, { topic: await session.topicLetters(sent), sent }, options);
    process.stdout.write(plan.text);
    return 0;
  }
  const outbox = await Outbox.open(session.context);
  try {
    return await new Resend(session, outbox, options).run();
  } finally {
    await outbox.close();
    if (outbox.lettersOnDisk > 0)
      say(`letters wait on disk for their topic: ${outbox.lettersOnDisk}. The next run sends them`);
  }
}

async function planOf(
  session: Session,
  { topic, sent }: { topic: TopicLetters | undefined; sent: SentLetters },
  options: ResendOptions,
): Promise<Plan> {
  const plan = new Plan();
  const judge = session.judge(topic, { sent, withCopies: options.withCopies });
  const { limit = Infinity } = options;
  for await (const letters of session.letters(topic, selectionFrom(options))) {
    for (const letter of letters) {
      if (plan.letters >= limit) return plan;
      plan.add(letter, await judge.verdictOn(letter));
    }
  }
  return plan;
}

/** Letters, and the names under which sent ones of them are remembered. */
interface Source {
  readonly letters: AsyncIterable<Letter[]>;
  readonly logOf: (place: LetterPlace) => LetterLog | undefined;
  readonly topic: TopicLetters | undefined;
}

class Resend {
  readonly #session: Session;
  readonly #outbox: Outbox;
  readonly #options: ResendOptions;
  readonly #selection: Selection;
  readonly #until: Until;
  #letters = 0;
  #sent = 0;
  #refused = 0;

  constructor(session: Session, outbox: Outbox, options: ResendOptions) {
    this.#session = session;
    this.#outbox = outbox;
    this.#options = options;
    this.#selection = selectionFrom(options);
    this.#until = { deadlineMs: Infinity, signal: session.signal };
  }

  async run(): Promise<number> {
    const { waiting, sent } = this.#outbox;
    const topic = await this.#session.topicLetters(sent);
    const plan = await planOf(this.#session, { topic, sent }, this.#options);
    if (this.#session.signal.aborted) {
      say('stopped: nothing was sent');
      return 1;
    }
    if (waiting > 0)
      process.stdout.write(`first come ${recordsText(waiting)} that an earlier run had taken\n`);
    process.stdout.write(plan.text);
    if (waiting + plan.letters === 0) return 0;
    const { yes } = this.#options;
    const refusal = await confirm({ question: 'Send them?', unchanged: 'nothing was sent', yes });
    return refusal ?? (await this.#go(topic, plan));
  }

  async #go(topic: TopicLetters | undefined, plan: Plan): Promise<number> {
    const until = { ...this.#until, deadlineMs: performance.now() + this.#options.timeout };
    if (!(await this.#send(until))) return this.#report(1);
    const { outbox, adopted, spool } = plan.onDisk;
    const done = [
      outbox === 0 || (await this.#outbox.sendLetters()),
      spool === 0 || (await this.#giveAway(until)),
      adopted + spool === 0 || (await this.#sendAdopted(until)),
    ];
    // The letters that were on disk are behind the end that the topic had.
    const current = outbox + spool === 0 ? topic : await this.#session.topicLetters(this.#outbox.sent);
    if (current !== undefined) done.push(await this.#sendTopic(current, until));
    return this.#report(done.every(Boolean) && this.#refused === 0 ? 0 : 1);
  }

  async #sendAdopted(until: Until): Promise<boolean> {
    const letters = this.#session.adoptedLetters(this.#selection);
    const isDone = await this.#sendFrom({ letters, logOf: adoptedLogOf, topic: undefined }, until);
    await removeSent(this.#session.settings.SPOOL_DIR, this.#outbox.sent);
    return isDone;
  }

  async #sendTopic(topic: TopicLetters, until: Until): Promise<boolean> {
    const logOf = (place: LetterPlace) => (place.kind === 'topic' ? topic.logOf(place.partition) : undefined);
    const isDone = await this.#sendFrom({ letters: topic.read(this.#selection), logOf, topic }, until);
    if (topic.deleted > 0)
      say(
        `Kafka had deleted ${topic.deleted} letters by their age before they could be read (retention.ms of ${topic.topic})`,
      );
    return isDone;
  }

  /** Takes and sends the selected letters. False if it had to stop before the last one. */
  async #sendFrom({ letters: source, logOf, topic }: Source, until: Until): Promise<boolean> {
    const { sent } = this.#outbox;
    const judge = this.#session.judge(topic, { sent, withCopies: this.#options.withCopies });
    const { limit = Infinity } = this.#options;
    let chunk: TakenLetter[] = [];
    let bytes = 0;
    const isEnough = () => this.#letters + chunk.length >= limit;
    for await (const letters of source) {
      for (const letter of letters) {
        if (isEnough() || !isSelected(letter, this.#selection)) continue;
        const log = logOf(letter.place);
        const verdict = await judge.verdictOn(letter);
        if (verdict.kind === 'keep' || log === undefined) continue;
        const { place, body, topic: to } = letter;
        chunk.push({ log, offset: place.offset, body, topic: to, records: verdict.records });
        bytes += verdict.records.reduce((sum, record) => sum + record.body.length, 0);
        if (bytes < CHUNK_BYTES && chunk.length < CHUNK_LETTERS) continue;
        if (!(await this.#sendChunk(chunk, until))) return false;
        [chunk, bytes] = [[], 0];
      }
      if (isEnough()) break;
    }
    return !this.#session.signal.aborted && (await this.#sendChunk(chunk, until));
  }

  async #sendChunk(chunk: readonly TakenLetter[], until: Until): Promise<boolean> {
    if (chunk.length === 0) return true;
    if (this.#outbox.sent.rangeCount >= MAX_RANGES) {
      say(
        `what was sent is remembered in ${MAX_RANGES} ranges of offsets, and there is no room for more. Send the letters in between too, or wait until Kafka deletes old letters`,
      );
      return false;
    }
    await this.#outbox.take(chunk);
    this.#letters += chunk.length;
    return await this.#send(until);
  }

  /** Sends all records of the outbox. False if some are left. */
  async #send(until: Until): Promise<boolean> {
    const progress = new Progress('records', this.#outbox.waiting);
    const result = await this.#outbox.send(until, (left) => progress.show(left));
    progress.end();
    this.#sent += result.sent;
    this.#refused += result.refused;
    if (result.left > 0) sayLeft(result, until);
    return result.left === 0;
  }

  /**
   * Sends the letters of stopped gateways to the topic of dead letters, as a gateway would, or adopts them if there is no
   * such topic. False if some stay.
   */
  async #giveAway({ signal }: Until): Promise<boolean> {
    const { settings, context } = this.#session;
    const topic = settings.KAFKA_TOPIC_DEAD_LETTERS;
    try {
      if (topic === null) {
        const staying = await adoptLetters(context);
        if (staying > 0)
          say(
            `${staying} logs of letters stay on disk: they were being sent to a topic, so it may have some of them. Set KAFKA_TOPIC_DEAD_LETTERS to that topic again`,
          );
        return staying === 0;
      }
      const deadlineMs = performance.now() + TO_TOPIC_MS;
      const { reason } = await drainSpool(settings, topic, { deadlineMs, signal });
      if (reason === null) return true;
      say(`letters stay on disk, because the topic ${topic} does not take them: ${reason}`);
    } catch (error) {
      if (!(error instanceof SpoolLockedError)) throw error;
      say(
        `the letters on disk belong to a running gateway or command, ${ownerText(error.owner)}. It sends them to their topic by itself; resend them from there`,
      );
    }
    return false;
  }

  #report(exitCode: number): number {
    const again =
      this.#refused === 0
        ? ''
        : `, ${recordsText(this.#refused)} refused by Kafka again and kept as dead letters (sluice dead show)`;
    process.stdout.write(`${recordsText(this.#sent)} sent${again}\n`);
    return exitCode;
  }
}

function sayLeft({ left, problem }: SendResult, { deadlineMs, signal }: Until): void {
  const why = signal.aborted ? 'stopped' : performance.now() >= deadlineMs ? 'out of time' : 'not taken';
  say(
    `${why}: ${recordsText(left)} left in SPOOL_DIR/resend${problem === null ? '' : ` (${problem})`}. The next run sends them, and goes on`,
  );
}

function recordsText(count: number): string {
  return count === 1 ? '1 record' : `${count} records`;
}
