// `sluice connections`: lists open or recently closed connections, page by page, so that any number of them takes little memory.

import { countText } from '../../config/amounts.ts';
import { jsonText } from '../json-text.ts';
import { Output, say } from '../output.ts';
import { fitting, headOf, rowOf } from '../terminal/columns.ts';
import type { AdminClient } from './client.ts';
import { CLOSED_COLUMNS, OPEN_COLUMNS, PAGE_ROWS, pageIn, queryOf, type Row } from './connection-rows.ts';
import { withGateway } from './open-client.ts';
import type { ConnectionsWish } from './options.ts';
import { sayMissing } from './printing.ts';

/** Of lines that no terminal cuts. */
const WIDE = 220;

export function runConnections(wish: ConnectionsWish): Promise<number> {
  return withGateway(wish, (client) => connections(client, wish));
}

async function connections(client: AdminClient, wish: ConnectionsWish): Promise<number> {
  const { closed, all, limit, json } = wish;
  const output = new Output(process.stdout);
  const columns = fitting(closed ? CLOSED_COLUMNS : OPEN_COLUMNS, process.stdout.columns ?? WIDE);
  const lineOf = (row: Row) => (json ? jsonText(row) : rowOf(columns, row));
  let left = all ? Infinity : limit;
  let shown = 0;
  let after: string | undefined;
  do {
    const query = { ...queryOf(wish), limit: Math.min(left, PAGE_ROWS), after };
    const page = pageIn((await client.get('/connections', { query })).body);
    const head = shown === 0 && !json ? [headOf(columns)] : [];
    if (!(await write(output, [...head, ...page.rows.map(lineOf)]))) return 0;
    left -= page.rows.length;
    shown += page.rows.length;
    after = page.rows.length > 0 ? page.next : undefined;
    if (after === undefined || left <= 0) {
      sayMissing(page.missing);
      if (shown < page.matching)
        say(`${countText(shown)} of ${countText(page.matching)} are shown; --all shows all of them`);
    }
  } while (after !== undefined && left > 0);
  return 0;
}

/** False if the reader is gone. */
function write(output: Output, lines: readonly string[]): Promise<boolean> {
  return output.write(lines.map((line) => Buffer.from(line)));
}
