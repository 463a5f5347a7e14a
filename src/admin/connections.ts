// GET /connections: has the processes answer, and gives their pages as one. A query that
// cannot be understood is refused with the parameter that is wrong.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { canonicalAddress } from '../config/ip-address.ts';
import { type MergedPage, mergePages } from '../inspect/connections/merge.ts';
import { CONNECTION_SORTS, type ConnectionQuery, MAX_ROWS, type Place } from '../inspect/connections/page.ts';
import { MAX_WAITING } from '../inspect/gate.ts';
import type { Inspection } from '../inspect/inspection.ts';
import { jsonBody, type Operation, type Parameters } from './operations.ts';
import { faultIn, MAX_QUERY_TEXT, wholeNumber } from './query.ts';
import { type Reply, text } from './reply.ts';

export const CONNECTION_STATES = ['open', 'closed'] as const;
export const CONNECTION_ORDERS = ['asc', 'desc'] as const;
const MAX_CURSOR = 256;

const PARAMETERS = {
  state: {
    about: '`open`, or `closed`: the last 1,000 of each process',
    values: CONNECTION_STATES,
    usual: 'open',
  },
  search: {
    about: 'a text found anywhere in the connection id, `device_id`, address, zipcode or city, in any case',
    minLength: 0,
    maxLength: MAX_QUERY_TEXT,
  },
  device_id: { about: 'exactly this', minLength: 0, maxLength: MAX_QUERY_TEXT },
  address: {
    about: 'exactly this IP address, which may be written in any way',
    minLength: 1,
    maxLength: MAX_QUERY_TEXT,
  },
  zipcode: { about: 'exactly this', minLength: 0, maxLength: MAX_QUERY_TEXT },
  sort: {
    about:
      '`rate` is bytes a second, `errors` refused lines, `closed` when, for closed ones. Without it `age`, or `closed` for closed ones',
    values: CONNECTION_SORTS,
  },
  order: {
    about: '`desc`: the largest, oldest or newest closed first; or `asc`',
    values: CONNECTION_ORDERS,
    usual: 'desc',
  },
  limit: { about: 'rows', min: 1, max: MAX_ROWS, usual: MAX_ROWS },
  after: {
    about: '`next` of the page before, with the same `state`, `sort` and `order`',
    minLength: 1,
    maxLength: MAX_CURSOR,
  },
  process: { about: 'only those of this process, by its number', process: [] },
} as const satisfies Parameters;
type Parameter = keyof typeof PARAMETERS;

export const CONNECTIONS: Operation = {
  about: 'A page of connections, open or recently closed.',
  parameters: PARAMETERS,
  answers: {
    200: { about: 'the page', content: jsonBody('Connections') },
    400: { about: 'a parameter is wrong; the text says which' },
    503: { about: 'too many ask for connections at once', headers: ['Retry-After'] },
  },
};

interface Parsed {
  readonly query: ConnectionQuery;
  /** Undefined for all. */
  readonly process: number | undefined;
}

/** The body of /connections. */
export interface ConnectionsPage extends Pick<ConnectionQuery, 'state' | 'sort' | 'order'> {
  readonly connections: MergedPage['rows'];
  readonly matching: number;
  readonly total: number;
  /** The parameter `after` of the next page. Null on the last one. */
  readonly next: string | null;
  readonly missing: readonly number[];
}

export async function connections(inspection: Inspection, asked: URLSearchParams): Promise<Reply> {
  const parsed = parse(asked, inspection.processes);
  if (typeof parsed === 'string') return text(400, parsed);
  const { query, process } = parsed;
  if (inspection.underWay('connections') > MAX_WAITING.connections) return BUSY;
  const { answers, missing } = await inspection.ask('connections', query, process);
  const pages = answers.flatMap((one) => (one.answer === 'busy' ? [] : { ...one, answer: one.answer }));
  if (pages.length < answers.length) return BUSY;
  await nextTurn();
  const { rows, matching, total, next } = mergePages(pages, query.limit);
  const { state, sort, order } = query;
  const after = next && cursorOf(next, query);
  return rowsReply(rows, { state, sort, order, matching, total, next: after, missing });
}

const BUSY: Reply = {
  ...text(503, 'too many ask for connections at once; ask again in a second'),
  headers: { 'Retry-After': '1' },
};

/** A row on each line. The texts of devices stay as they are: nothing may look into the JSON. */
function rowsReply(rows: MergedPage['rows'], rest: Omit<ConnectionsPage, 'connections'>): Reply {
  const lines = rows.map((row) => JSON.stringify(row)).join(',\n');
  const body = `{"connections":[\n${lines}\n],${JSON.stringify(rest).slice(1)}\n`;
  return { status: 200, type: 'application/json', body };
}

/** A string is the error. */
function parse(asked: URLSearchParams, processes: readonly number[]): Parsed | string {
  const fault = faultIn(asked, PARAMETERS);
  if (fault !== undefined) return fault;
  for (const [name, value] of asked)
    if (name !== 'after' && value.length > MAX_QUERY_TEXT)
      return `${name} has more than ${MAX_QUERY_TEXT} characters`;
  const get = (name: Parameter) => asked.get(name) ?? undefined;
  const state = oneOf(CONNECTION_STATES, get('state') ?? PARAMETERS.state.usual);
  if (state === undefined) return 'state is open or closed';
  const sort = oneOf(CONNECTION_SORTS, get('sort') ?? (state === 'open' ? 'age' : 'closed'));
  if (sort === undefined) return `sort is one of ${CONNECTION_SORTS.join(', ')}`;
  if (sort === 'closed' && state === 'open') return 'sort=closed is for state=closed';
  const order = oneOf(CONNECTION_ORDERS, get('order') ?? PARAMETERS.order.usual);
  if (order === undefined) return 'order is asc or desc';
  const limit = wholeNumber(get('limit') ?? `${MAX_ROWS}`, PARAMETERS.limit);
  if (limit === undefined) return `limit is a whole number from 1 to ${MAX_ROWS}`;
  const process = processes.find((index) => `${index}` === get('process'));
  if (asked.has('process') && process === undefined) return `process is one of ${processes.join(', ')}`;
  const cursor = get('after');
  const after = cursor === undefined ? null : placeIn(cursor, { state, sort, order });
  if (after === undefined) return 'after is not a `next` of an answer with the same state, sort and order';
  const address = get('address') && canonicalAddress(get('address') ?? '');
  if (asked.has('address') && !address) return 'address is not an IP address';
  const exact = {
    search: get('search')?.toLowerCase() || undefined,
    deviceId: get('device_id'),
    address,
    zipcode: get('zipcode'),
  };
  return { query: { state, sort, order, limit, after, ...withoutUndefined(exact) }, process };
}

function oneOf<T extends string>(all: readonly T[], text: string): T | undefined {
  return all.find((one) => one === text);
}

type Order = Pick<ConnectionQuery, 'state' | 'sort' | 'order'>;

/** Clients treat it as one word. It holds the order that it belongs to. */
function cursorOf({ key, id }: Place, { state, sort, order }: Order): string {
  return Buffer.from(JSON.stringify([state, sort, order, key, id])).toString('base64url');
}

function placeIn(cursor: string, wanted: Order): Place | undefined {
  if (cursor.length > MAX_CURSOR) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [state, sort, order, key, id] = parts as unknown[];
  const fits = state === wanted.state && sort === wanted.sort && order === wanted.order;
  if (!fits || typeof key !== 'number' || !Number.isFinite(key) || typeof id !== 'string') return undefined;
  return { key, id };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
