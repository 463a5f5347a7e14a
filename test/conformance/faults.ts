// Faults that other implementations of the protocol could have, and the rules that must find each.
import type { Fault, ReplyFields } from './breaking-proxy.ts';

export interface NamedFault extends Fault {
  readonly name: string;
  /** The ids of rules that must fail. Others may. */
  readonly breaks: readonly string[];
}

/** Not JSON. */
const GARBAGE = '!';
const ALIVE = '{"type":"keepalive"}';

const up = (change: (line: string) => string | readonly string[]): Pick<Fault, 'up'> => ({
  up: () => (line) => {
    const changed = change(line);
    return typeof changed === 'string' ? [changed] : changed;
  },
});

const down = (change: (reply: ReplyFields) => readonly (ReplyFields | string)[]): Pick<Fault, 'down'> => ({
  down: () => change,
});

const refusedIf = (pattern: RegExp) => up((line) => (pattern.test(line) ? GARBAGE : line));

/** The line as a lax parser would write it again; as it was if it is no JSON. */
function lax(line: string): string {
  try {
    return JSON.stringify(JSON.parse(line));
  } catch {
    return line;
  }
}

const isError = (reply: ReplyFields, code?: string) =>
  reply.status === 'error' && (code === undefined || reply.code === code);

let serial = 0;

export const FAULTS: readonly NamedFault[] = [
  { name: 'a CR before the LF is part of the line', ...refusedIf(/\r$/), breaks: ['lines.crlf'] },
  {
    name: 'each packet is a line',
    packet: (text) => text.replace(/([^\n])$/, '$1\n'),
    breaks: ['lines.split'],
  },
  {
    name: 'only the first line of a packet is read',
    packet: (text) => text.slice(0, text.indexOf('\n') + 1) || text,
    breaks: ['lines.many_at_once', 'lines.lf'],
  },
  {
    name: 'type has to come first',
    ...refusedIf(/^\{(?!"type")/),
    breaks: ['lines.key_order'],
  },
  {
    name: 'escapes in keys are not resolved',
    ...up((line) => line.replace(/"[a-z]*\\u00[0-9a-f]{2}[a-z]*":/g, '"other":')),
    breaks: ['lines.escapes'],
  },
  {
    name: 'white space between tokens is refused',
    ...refusedIf(/^[^"]*"[^"]*"[ \t\r]/),
    breaks: ['lines.white_space'],
  },
  {
    name: 'a byte order mark is skipped',
    ...up((line) => line.replace(/^\xef\xbb\xbf/, '')),
    breaks: ['lines.byte_order_mark'],
  },
  {
    name: 'empty lines are skipped',
    ...up((line) => (/^\s*$/.test(line) ? [] : line)),
    breaks: ['lines.empty'],
  },
  {
    name: 'bytes that are not UTF-8 are replaced',
    ...up((line) => Buffer.from(Buffer.from(line, 'latin1').toString('utf8')).toString('latin1')),
    breaks: ['lines.invalid_utf8', 'identify.try_again'],
  },
  {
    name: 'a name may come twice',
    ...up(lax),
    breaks: ['lines.duplicate_keys', 'readings.names_twice', 'seq.form', 'seq.twice_in_a_line'],
  },
  {
    name: 'a comma too much is allowed',
    ...up((line) => line.replace(/,([}\]])/g, '$1')),
    breaks: ['lines.strict_json'],
  },
  {
    name: 'unknown fields are refused',
    ...refusedIf(/"(?:x|firmware)":(?!1,"x")/),
    breaks: ['lines.unknown_fields', 'lines.ignored_content'],
  },
  {
    name: 'lines that are too long are cut',
    ...up((line) => (line.length > 65_536 ? ALIVE : line)),
    breaks: ['lines.too_long'],
  },
  {
    name: 'a line has 4 KiB',
    ...up((line) => (line.length > 4096 ? GARBAGE : line)),
    breaks: ['lines.longest', 'lines.longest_first', 'readings.string_length'],
  },
  {
    name: 'a request of HTTP is a bad line',
    ...up((line) => (/HTTP/.test(line) ? GARBAGE : line)),
    breaks: ['first_bytes.http', 'first_bytes.request_line'],
  },
  {
    name: 'a FIN ends the connection at once',
    onFin: 'cut',
    breaks: ['half_close.answers', 'stored.not_for_a_refused_message'],
  },
  {
    name: 'a last line without LF is lost',
    onFin: 'drop',
    breaks: ['half_close.last_line', 'half_close.incomplete'],
  },
  {
    name: 'connections are never closed',
    neverCloses: true,
    breaks: ['lines.too_long', 'identify.comes_first', 'half_close.answers', 'device_id.replaced'],
  },
  {
    name: 'an error closes the connection',
    closesAfter: (reply) => isError(reply),
    breaks: ['errors.go_on', 'identify.try_again', 'identify.zipcode_refused'],
  },
  {
    name: 'the first message need not be an identify',
    ...down((reply) => (isError(reply, 'not_identified') ? [{ type: 'ack', status: 'alive' }] : [reply])),
    breaks: ['identify.comes_first'],
  },
  {
    name: 'a second identify is taken',
    ...down((reply) =>
      isError(reply, 'already_identified')
        ? [{ type: 'ack', status: 'identified', connection_id: '7a02f4c6-52e4-4e9f-bc09-a4fc9ca64552' }]
        : [reply],
    ),
    breaks: ['identify.second'],
  },
  {
    name: 'all connections have one id',
    ...down((reply) =>
      reply.status === 'identified'
        ? [{ ...reply, connection_id: '7a02f4c6-52e4-4e9f-bc09-a4fc9ca64552' }]
        : [reply],
    ),
    breaks: ['identify.answered'],
  },
  {
    name: 'the connection_id is a number',
    ...down((reply) => (reply.status === 'identified' ? [{ ...reply, connection_id: 7 }] : [reply])),
    breaks: ['identify.answered', 'keepalive.alive'],
  },
  {
    name: 'a zipcode has 16 characters',
    ...refusedIf(/"zipcode":"[^"]{17,}"/),
    breaks: ['identify.zipcode'],
  },
  {
    name: 'a zipcode may be a number',
    ...up((line) => line.replace(/"zipcode":90210/, '"zipcode":"1"')),
    breaks: ['identify.zipcode_refused'],
  },
  { name: 'a city has no control characters', ...refusedIf(/"city":"a\\t/), breaks: ['identify.city'] },
  {
    name: 'a device_id that identifies again replaces nothing',
    ...up((line) => line.replace(/"device_id":"[\w-]+"/, () => `"device_id":"x-${serial++}"`)),
    breaks: ['device_id.replaced'],
  },
  {
    name: 'every device replaces the one before it',
    ...up((line) => line.replace(/"device_id":"[\w-]+"/, '"device_id":"one"')),
    breaks: ['device_id.others_stay'],
  },
  {
    name: 'tags have no limit',
    ...up((line) => line.replace(/"tags":.*\}\}$/, '"tags":{}}')),
    breaks: ['tags.refused', 'tags.size'],
  },
  {
    name: 'an array has any number of readings',
    ...up((line) => (line.includes(',{"a":1}'.repeat(1000)) ? line.replaceAll(',{"a":1}', '') : line)),
    breaks: ['metrics.array_refused'],
  },
  {
    name: 'bad readings of an array are left out',
    ...up((line) => line.replace(/("data":\[\{"a":1\}),(?:\{\}|null|1|"a")/, '$1')),
    breaks: ['metrics.all_or_none'],
  },
  {
    name: 'nested values are refused',
    ...refusedIf(/"data":\{(?:"[^"]*":[^{[]*,)?"[^"]*":[{[]/),
    breaks: ['readings.nested', 'readings.depth'],
  },
  {
    name: 'nesting has no limit',
    ...up((line) => line.replace(/\[{16,}\]{16,}/, '[]')),
    breaks: ['readings.depth'],
  },
  {
    name: 'numbers have no limit',
    ...up((line) => line.replace(/1{1025,}/, '1')),
    breaks: ['readings.number_length', 'metrics.pairs_refused'],
  },
  {
    name: 'a message without seq is answered',
    ...up((line) => (line.includes('"metrics","data"') ? [line, ALIVE] : line)),
    breaks: ['metrics.object', 'stored.not_without_seq'],
  },
  {
    name: 'seq need not rise',
    ...down((reply) =>
      isError(reply) && /rise|above|not higher/.test(String(reply.message)) ? [] : [reply],
    ),
    breaks: ['seq.rises'],
  },
  {
    name: 'errors have no seq',
    ...down(({ seq, ...reply }) => [isError(reply) || seq === undefined ? reply : { ...reply, seq }]),
    breaks: ['errors.have_the_seq', 'seq.rises'],
  },
  {
    name: 'stored never comes',
    ...down((reply) => (reply.status === 'stored' ? [] : [reply])),
    breaks: ['stored.comes', 'half_close.answers'],
  },
  {
    name: 'stored names a seq that was not sent',
    ...down((reply) => [reply.status === 'stored' ? { ...reply, seq: Number(reply.seq) + 1 } : reply]),
    breaks: ['stored.comes'],
  },
  {
    name: 'stored comes twice',
    ...down((reply) => (reply.status === 'stored' ? [reply, reply] : [reply])),
    breaks: ['stored.comes'],
  },
  {
    name: 'stored overtakes errors',
    down: () => {
      let held: ReplyFields[] = [];
      return (reply) => {
        if (isError(reply)) held.push(reply);
        if (reply.status !== 'stored') return isError(reply) ? [] : [reply];
        // On a slow disk an early message may be stored alone, and breaks no rule with errors behind it.
        const passed = held.filter(({ seq }) => Number(seq) < Number(reply.seq));
        held = held.filter((error) => !passed.includes(error));
        return [reply, ...passed];
      };
    },
    breaks: ['stored.behind_errors'],
  },
  {
    name: 'replies are out of order',
    down: () => {
      let held: ReplyFields[] = [];
      return (reply) => {
        if (reply.status === 'alive' && held.length === 0) {
          held.push(reply);
          return [];
        }
        const sent = [reply, ...held];
        held = [];
        return sent;
      };
    },
    breaks: ['errors.in_order'],
  },
  {
    name: 'resume is not known',
    ...up((line) => line.replace(/,"resume":[^,}]*/, '')),
    breaks: ['resume.form', 'resume.nothing_known', 'resume.stored_seq', 'resume.sent_again'],
  },
  {
    name: 'what is stored is forgotten',
    ...down((reply) => ['stored_seq' in reply ? { ...reply, stored_seq: null } : reply]),
    breaks: ['resume.stored_seq', 'resume.of_an_open_connection'],
  },
  {
    name: 'everybody is told what is stored',
    ...down((reply) => [reply.status === 'identified' ? { stored_seq: 1, ...reply } : reply]),
    breaks: ['resume.without'],
  },
  { name: 'replies are not JSON', ...down(() => ['OK']), breaks: ['keepalive.alive'] },
  {
    name: 'replies have another type',
    ...down((reply) => [{ ...reply, type: 'reply' }]),
    breaks: ['keepalive.alive'],
  },
];
