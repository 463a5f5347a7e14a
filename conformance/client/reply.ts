// One reply line of a gateway, checked for the form that docs/protocol.md gives it.
import { shown } from './transcript.ts';

export interface Reply {
  readonly status: string;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly seq: number | undefined;
  /** The line, for people. */
  readonly line: string;
  /** All fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MIN_RECONNECT_MS = 500;

/** @param line without its LF @returns the reply, or the promise that its form breaks */
export function parseReply(line: Uint8Array): Reply | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return 'a reply is one JSON object in UTF-8, ended by LF';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'a reply is one JSON object in UTF-8, ended by LF';
  const fields = value as Readonly<Record<string, unknown>>;
  const { type, status, code, message, seq } = fields;
  if (type !== 'ack' || typeof status !== 'string') return 'a reply has "type":"ack" and a "status"';
  if (seq !== undefined && !(Number.isSafeInteger(seq) && Number(seq) >= 0))
    return 'the "seq" of a reply is an integer from 0 to 9007199254740991';
  const problem = problemOf(status, fields);
  if (problem !== undefined) return problem;
  return {
    status,
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : undefined,
    seq: typeof seq === 'number' ? seq : undefined,
    line: shown(line),
    fields,
  };
}

function problemOf(status: string, fields: Readonly<Record<string, unknown>>): string | undefined {
  const { code, message, seq, connection_id: id, reconnect_after_ms: afterMs } = fields;
  switch (status) {
    case 'identified':
      if (typeof id !== 'string' || !UUID.test(id)) return '`identified` has the UUID of the connection';
      break;
    case 'stored':
      if (typeof seq !== 'number') return '`stored` has a "seq"';
      break;
    case 'error':
      if (typeof code !== 'string' || typeof message !== 'string')
        return '`error` has a "code" and a "message"';
      break;
    case 'closing':
      if (typeof code !== 'string' || typeof afterMs !== 'number' || afterMs < MIN_RECONNECT_MS)
        return '`closing` has a "code", and "reconnect_after_ms" of at least 500';
      break;
  }
  return undefined;
}

/** The reply in short, as rules name it: `alive`, `stored 5`, `invalid_message`, `invalid_message 5`. */
export function nameOf({ status, code, seq }: Reply): string {
  const name = status === 'error' ? (code ?? status) : status;
  return seq === undefined ? name : `${name} ${seq}`;
}
