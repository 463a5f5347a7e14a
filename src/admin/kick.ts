// POST /kick: closes the connections that an operator names, in all processes. Each order is written to the log with the
// address that it came from.
import { canonicalAddress } from '../config/ip-address.ts';
import { type KickOrder, type KickTarget, RECONNECT_AFTER_MS } from '../inspect/connections/kick.ts';
import { MAX_WAITING } from '../inspect/gate.ts';
import type { Controls, Outcome, Wish } from './controls.ts';
import { jsonBody, type Operation, type Parameters } from './operations.ts';
import { fieldsIn } from './request-body.ts';

const TARGETS = ['connection_id', 'device_id', 'address'] as const;
const PARAMETERS = {
  connection_id: { about: 'the connection with this id', minLength: 1 },
  device_id: { about: 'all connections of this device', minLength: 1 },
  address: { about: 'all connections of this IP address', minLength: 1 },
  reconnect_after_ms: {
    about:
      'what the device is told. Without it each gets a time of its own from 5 to 10 s, or more if there are more than 1,100',
    ...RECONNECT_AFTER_MS,
  },
} as const satisfies Parameters;
const FIELDS: readonly string[] = Object.keys(PARAMETERS);

export const KICK: Operation = {
  about: 'Closes the connections of an id, a device or an address, in all processes.',
  parameters: PARAMETERS,
  body: { fields: 'Kick', isRequired: false },
  answers: {
    200: { about: 'how many were told to go', content: jsonBody('Kicked') },
    400: { about: 'the order is wrong; the text says why, and nobody was kicked' },
    404: { about: 'there is no such open connection' },
    503: { about: 'too many kicks at once; nobody was kicked' },
  },
};
const UNCHANGED = 'nobody was kicked';
const BUSY = { status: 503, body: `too many kicks at once; try again in a second; ${UNCHANGED}` };

export async function kick(
  _: Controls,
  { query, body, remoteAddress, inspection, log }: Wish,
): Promise<Outcome> {
  const order = orderIn(query, body);
  if (typeof order === 'string') return `${order}; ${UNCHANGED}`;
  if (inspection.underWay('kick') > MAX_WAITING.kicks) return BUSY;
  const { answers, missing: silent } = await inspection.ask('kick', order);
  const busy = answers.flatMap(({ process, answer }) => (answer === 'busy' ? process : []));
  const missing = [...silent, ...busy];
  const kicked = answers.reduce((sum, { answer }) => sum + (answer === 'busy' ? 0 : answer.kicked), 0);
  const { target, reconnectAfterMs } = order;
  log.write('connections_kicked', {
    ...target,
    kicked,
    missing,
    reconnectAfterMs: reconnectAfterMs ?? undefined,
    remoteAddress,
  });
  if (busy.length > 0 && kicked === 0) return BUSY;
  if (kicked === 0 && missing.length === 0)
    return { status: 404, body: `there is no such open connection; ${UNCHANGED}` };
  return { status: 200, body: { kicked, missing } };
}

/** A string is the error. */
function orderIn(query: URLSearchParams, body: string): KickOrder | string {
  const sent = fieldsIn(body);
  if (sent === undefined) return 'the body is neither a JSON object nor a form';
  const fields = new Map<string, unknown>([...query, ...sent]);
  const unknown = [...fields.keys()].find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) return `there are only the fields ${FIELDS.join(', ')}`;
  const target = targetIn(fields);
  if (typeof target === 'string') return target;
  const after = fields.get('reconnect_after_ms');
  if (after === undefined) return { target, reconnectAfterMs: null };
  const ms = typeof after === 'string' && /^\d{1,9}$/.test(after) ? Number(after) : after;
  const { min, max } = RECONNECT_AFTER_MS;
  if (typeof ms !== 'number' || !Number.isInteger(ms) || ms < min || ms > max)
    return `reconnect_after_ms is a whole number from ${min} to ${max}`;
  return { target, reconnectAfterMs: ms };
}

function targetIn(fields: ReadonlyMap<string, unknown>): KickTarget | string {
  const [name, ...others] = TARGETS.filter((one) => fields.has(one));
  if (name === undefined || others.length > 0) return `send one of ${TARGETS.join(', ')}`;
  const value = fields.get(name);
  if (typeof value !== 'string' || value === '') return `${name} is a text`;
  if (name === 'connection_id') return { connectionId: value };
  if (name === 'device_id') return { deviceId: value };
  const address = canonicalAddress(value);
  return address === undefined ? 'address is not an IP address' : { address };
}
