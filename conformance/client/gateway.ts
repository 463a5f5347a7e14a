// The gateway as a rule sees it: connections to it, lines that it must accept under its settings, and the verdicts on
// many lines of one connection. All connections of a rule are closed when the rule is done.
import type { Options } from '../options.ts';
import { type Failed, NotChecked } from '../outcome.ts';
import { Conversation } from './conversation.ts';
import { connectPlain, connectTls, type TlsVersion } from './dial.ts';
import { nameOf, type Reply } from './reply.ts';
import { shown } from './transcript.ts';

/** A verdict on a line: `ok`, or the code of its error. */
export type Verdict = 'ok' | 'invalid_json' | 'invalid_utf8' | 'invalid_message' | 'already_identified';

/** A line without its LF, and the verdict that the gateway must give. */
export interface Judged {
  readonly line: string | Uint8Array;
  readonly verdict: Verdict;
  /** The seq of the line, if it has one that can be read. */
  readonly seq?: number | undefined;
}

/** `data` of a metrics message as JSON text, and the verdict on the message. */
export type JudgedData = readonly [data: string, verdict: 'ok' | 'invalid_json' | 'invalid_message'];

let serial = 0;
/** Device ids and zip codes of this run are not those of another. */
const RUN = Math.random().toString(36).slice(2, 8).padEnd(6, '0');

export class Gateway {
  readonly options: Options;
  readonly #open: Conversation[] = [];

  constructor(options: Options) {
    this.options = options;
  }

  /** @param version of TLS, if the port speaks TLS @throws NoConnection */
  async connect(version?: TlsVersion): Promise<Conversation> {
    const { tls } = this.options;
    const socket =
      tls === undefined ? await connectPlain(this.options) : await connectTls(this.options, tls, version);
    return this.#keep(new Conversation(socket, this.options.patienceMs));
  }

  /** The port, without TLS even if it speaks TLS. */
  async connectWithoutTls(): Promise<Conversation> {
    return this.#keep(new Conversation(await connectPlain(this.options), this.options.patienceMs));
  }

  async connectForLines(): Promise<Conversation> {
    const { linesPort: port, host, patienceMs } = this.options;
    if (port === 0) throw new NotChecked('needs --lines-port');
    return this.#keep(new Conversation(await connectPlain({ host, port, patienceMs }), patienceMs));
  }

  /** A connection that has identified. @param fields in place of the usual ones; undefined leaves one out */
  async identified(fields: Readonly<Record<string, unknown>> = {}): Promise<Conversation> {
    const conversation = await this.connect();
    conversation.send(`${this.identify(fields)}\n`);
    await conversation.expect('identified');
    return conversation;
  }

  /** An identify that the gateway must accept, without LF. @param fields in place of the usual ones */
  identify(fields: Readonly<Record<string, unknown>> = {}): string {
    return JSON.stringify({ type: 'identify', ...this.#usualFields(), ...fields });
  }

  /** The same with fields as JSON text, for values that JSON.stringify cannot write. */
  identifyText(text: string, without: readonly string[] = []): string {
    const usual = Object.entries({ type: 'identify', ...this.#usualFields() });
    const rest = usual.filter(([name]) => !without.includes(name) && !text.includes(`"${name}":`));
    return `{${rest.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')},${text}}`;
  }

  /** A device_id that no other rule uses. @throws NotChecked if the options allow only one */
  newDeviceId(): string {
    const { deviceId, token } = this.options;
    if (deviceId === undefined && token !== undefined && this.options.identify.includes('device_id'))
      throw new NotChecked('needs --device-id, because the gateway has tokens');
    if (deviceId !== undefined && !deviceId.endsWith('*'))
      throw new NotChecked("needs a device_id of its own: --device-id 'PREFIX*'");
    serial++;
    return `${deviceId?.slice(0, -1) ?? 'conformance-'}${RUN}-${serial}`;
  }

  /** Members that every reading must have, as JSON text with a comma behind, or nothing. */
  get required(): string {
    const text = JSON.stringify(this.options.reading).slice(1, -1);
    return text === '' ? '' : `${text},`;
  }

  /** A metrics message without LF. @param data JSON text */
  metrics(seq?: number, data = `{${this.required}"a":1}`): string {
    return `{"type":"metrics",${seq === undefined ? '' : `"seq":${seq},`}"data":${data}}`;
  }

  /** Refused identifies leave the connection open; a good one behind them is then accepted. */
  async refusesIdentify(lines: readonly string[]): Promise<void> {
    const conversation = await this.connect();
    for (const line of lines) {
      conversation.send(`${line}\n`);
      await conversation.expect('invalid_message');
    }
    conversation.send(`${this.identify()}\n`);
    await conversation.expect('identified');
  }

  async acceptsIdentify(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const conversation = await this.connect();
      await conversation.send(`${line}\n`).expect('identified');
      await conversation.end().closed();
    }
  }

  /** Sends messages with these data, with a seq each, and holds the gateway to the verdicts. */
  async judgesData(cases: readonly JudgedData[]): Promise<void> {
    await this.judges(
      cases.map(([data, verdict], seq) => ({
        line: this.metrics(seq, data),
        verdict,
        // Nothing is known of a line that is not JSON.
        seq: verdict === 'invalid_json' ? undefined : seq,
      })),
    );
  }

  /** Sends the lines on a new connection, and holds the gateway to the verdicts. */
  async judges(lines: readonly Judged[], on?: Conversation): Promise<void> {
    const conversation = on ?? (await this.identified());
    for (const { line } of lines) conversation.send(withLf(line));
    conversation.send('{"type":"keepalive"}\n');
    for (const one of lines.filter(({ verdict }) => verdict !== 'ok')) {
      const wanted = nameOfVerdict(one);
      const reply = await conversation.next(`\`${wanted}\` for ${shown(bytesOf(one.line))}`);
      if (nameOf(reply) !== wanted) throw misjudged(conversation, reply, { lines, wanted: one });
    }
    const last = await conversation.next('`alive`');
    if (nameOf(last) !== 'alive') throw misjudged(conversation, last, { lines, wanted: undefined });
    const accepted = lines.filter(({ verdict }) => verdict === 'ok').flatMap(({ seq }) => seq ?? []);
    if (accepted.length > 0) await conversation.stored(Math.max(...accepted));
  }

  /** Ends the connections of the rule. @throws Failed if a promise that holds on every connection was broken */
  async close(): Promise<void> {
    await Promise.all(this.#open.map((conversation) => conversation.close()));
    for (const conversation of this.#open) conversation.assertSound();
  }

  #usualFields(): Record<string, unknown> {
    const { identify, deviceId, token } = this.options;
    const isWanted = (name: string) => identify.includes(name);
    const tags = identify.filter((name) => name.startsWith('tags.')).map((name) => [name.slice(5), 'x']);
    return {
      ...(isWanted('zipcode') && { zipcode: `C-${RUN}` }),
      ...(isWanted('city') && { city: 'Conformance' }),
      ...((isWanted('device_id') || deviceId !== undefined) && { device_id: this.#usualDeviceId() }),
      ...(tags.length > 0 && { tags: Object.fromEntries(tags) }),
      ...(token !== undefined && { token }),
    };
  }

  #usualDeviceId(): string {
    const { deviceId } = this.options;
    return deviceId !== undefined && !deviceId.endsWith('*') ? deviceId : this.newDeviceId();
  }

  #keep(conversation: Conversation): Conversation {
    this.#open.push(conversation);
    return conversation;
  }
}

const bytesOf = (line: string | Uint8Array) => (typeof line === 'string' ? Buffer.from(line) : line);
const withLf = (line: string | Uint8Array) => Buffer.concat([bytesOf(line), Buffer.from('\n')]);
const nameOfVerdict = ({ verdict, seq }: Judged) => (seq === undefined ? verdict : `${verdict} ${seq}`);

interface Misjudged {
  readonly lines: readonly Judged[];
  /** The line whose error was due. Undefined if there was none left. */
  readonly wanted: Judged | undefined;
}

/** The error for a reply that is not the one that was due. A `seq` tells which line it is about. */
function misjudged(conversation: Conversation, reply: Reply, { lines, wanted }: Misjudged): Failed {
  const meant = lines.find(({ seq, verdict }) => seq === reply.seq && seq !== undefined && verdict === 'ok');
  const came = [reply.line];
  if (meant !== undefined)
    return conversation.failed('no error', { sent: [shown(bytesOf(meant.line))], came });
  if (wanted === undefined)
    return conversation.failed('no error for any of the lines', { ...conversation.exchange, came });
  return conversation.failed(`\`${nameOfVerdict(wanted)}\``, { sent: [shown(bytesOf(wanted.line))], came });
}
