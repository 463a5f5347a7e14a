// The rows of /connections, and the columns in which terminals show them.
import { bytesText, timeText } from '../../config/amounts.ts';
import type { Column } from '../terminal/columns.ts';
import type { Query } from './client.ts';
import { listIn, numberIn, objectIn, textIn } from './fields.ts';
import type { ConnectionsWish } from './options.ts';

/** The most that the gateway gives at once. */
export const PAGE_ROWS = 100;

export type Row = Readonly<Record<string, unknown>>;

export interface Page {
  readonly rows: readonly Row[];
  /** That fit the search. */
  readonly matching: number;
  readonly total: number;
  readonly next: string | undefined;
  readonly missing: unknown;
}

/** A page of an answer of /connections. */
export function pageIn(body: unknown): Page {
  const { connections, matching, total, next, missing } = objectIn(body);
  return {
    rows: listIn(connections).map(objectIn),
    matching: numberIn(matching),
    total: numberIn(total),
    next: typeof next === 'string' ? next : undefined,
    missing,
  };
}

export type Search = Pick<
  ConnectionsWish,
  'search' | 'device' | 'address' | 'zipcode' | 'process' | 'closed' | 'sort' | 'reverse'
>;

export function queryOf({ search, device, address, zipcode, process, closed, sort, reverse }: Search): Query {
  return {
    search,
    device_id: device,
    address,
    zipcode,
    process,
    state: closed ? 'closed' : undefined,
    sort,
    order: reverse ? 'asc' : undefined,
  };
}

export const rateText = (bytesPerSecond: number) => `${bytesText(bytesPerSecond)}/s`;

const text =
  (field: string) =>
  (row: Row): string =>
    textIn(row[field]);
const count =
  (field: string) =>
  (row: Row): string =>
    `${numberIn(row[field])}`;

const DEVICE: Column<Row> = {
  title: 'DEVICE',
  width: 20,
  rank: 1,
  text: (row) => textIn(row.device_id) || '-',
};
const AGE: Column<Row> = {
  title: 'AGE',
  width: 8,
  align: 'right',
  rank: 4,
  text: (row) => timeText(numberIn(row.age_ms)),
};

const TRAFFIC: readonly Column<Row>[] = [
  {
    title: 'RATE',
    width: 12,
    align: 'right',
    rank: 2,
    text: (row) => rateText(numberIn(row.bytes_per_second)),
  },
  { title: 'LINES/S', width: 7, align: 'right', rank: 6, text: count('lines_per_second') },
  { title: 'BYTES', width: 10, align: 'right', rank: 8, text: (row) => bytesText(numberIn(row.bytes)) },
  { title: 'LINES', width: 9, align: 'right', rank: 9, text: count('lines') },
  { title: 'REFUSED', width: 7, align: 'right', rank: 5, text: count('refused') },
];

const PLACE: readonly Column<Row>[] = [
  { title: 'ADDRESS', width: 15, rank: 3, text: text('address') },
  { title: 'ZIPCODE', width: 8, rank: 7, text: text('zipcode') },
  { title: 'CITY', width: 12, rank: 11, text: text('city') },
];

export const OPEN_COLUMNS: readonly Column<Row>[] = [
  DEVICE,
  ...PLACE,
  ...TRAFFIC,
  AGE,
  {
    title: 'STAGE',
    width: 10,
    rank: 10,
    text: (row) => `${textIn(row.stage)}${row.tls === true ? ' tls' : ''}`,
  },
  {
    title: 'PAUSED',
    width: 16,
    rank: 12,
    text: (row) => listIn(row.paused).map(textIn).join(', ') || textIn(row.paused),
  },
  { title: 'CONNECTION', width: 36, rank: 13, text: text('connection_id') },
];

export const CLOSED_COLUMNS: readonly Column<Row>[] = [
  { title: 'CLOSED', width: 8, rank: 2, text: (row) => textIn(row.closed_at).slice(11, 19) },
  { title: 'REASON', width: 18, rank: 3, text: text('reason') },
  DEVICE,
  ...PLACE.map((column) => ({ ...column, rank: column.rank + 2 })),
  ...TRAFFIC.filter(({ title }) => title !== 'RATE' && title !== 'LINES/S'),
  AGE,
  { title: 'CONNECTION', width: 36, rank: 14, text: text('connection_id') },
];
