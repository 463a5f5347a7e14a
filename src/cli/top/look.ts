// One look of `sluice top` at a gateway: the figures, and a page of connections. A gateway without one of them is shown with the other.
import type { AdminClient } from '../remote/client.ts';
import { PAGE_ROWS, type Page, pageIn, queryOf } from '../remote/connection-rows.ts';
import { RemoteError } from '../remote/failure.ts';
import type { Sort } from '../remote/options.ts';

export interface Asked {
  readonly sort: Sort;
  readonly reverse: boolean;
  readonly closed: boolean;
  readonly search: string;
  readonly rows: number;
}

export interface Look {
  readonly stats: unknown;
  /** A text says why there are none. */
  readonly page: Page | string;
}

/** Rejects with RemoteError if there are no figures. */
export async function look(client: AdminClient, asked: Asked, signal: AbortSignal): Promise<Look> {
  const { body } = await client.get('/stats', { signal });
  return { stats: body, page: await pageOf(client, asked, signal) };
}

async function pageOf(
  client: AdminClient,
  { sort, reverse, closed, search, rows }: Asked,
  signal: AbortSignal,
): Promise<Page | string> {
  const wish = {
    ...(closed ? { closed } : { sort }),
    ...(reverse && { reverse }),
    ...(search !== '' && { search }),
  };
  const limit = Math.min(PAGE_ROWS, Math.max(1, rows));
  try {
    return pageIn((await client.get('/connections', { query: { ...queryOf(wish), limit }, signal })).body);
  } catch (error) {
    if (error instanceof RemoteError) return error.message;
    throw error;
  }
}
