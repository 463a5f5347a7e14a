// `sluice log-level`: shows the log level of a gateway, or sets it until the next start.
import { printable } from '../../config/printable.ts';
import { say } from '../output.ts';
import type { AdminClient } from './client.ts';
import { objectIn, textIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { LogLevelWish } from './options.ts';

export function runLogLevel(wish: LogLevelWish): Promise<number> {
  return withGateway(wish, (client) => logLevel(client, wish.level));
}

async function logLevel(client: AdminClient, wished: string | undefined): Promise<number> {
  const { body } =
    wished === undefined
      ? await client.get('/log-level')
      : await client.post('/log-level', { level: wished });
  const { level, before } = objectIn(body);
  process.stdout.write(`${printable(textIn(level))}\n`);
  if (wished !== undefined) say(`it was ${textIn(before)}; the next start takes LOG_LEVEL again`);
  return 0;
}
