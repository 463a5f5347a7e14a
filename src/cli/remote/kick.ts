// `sluice kick`: closes the connections of a device or an address.
import { say } from '../output.ts';
import type { AdminClient } from './client.ts';
import { numberIn, objectIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { KickWish } from './options.ts';
import { sayMissing } from './printing.ts';

export function runKick(wish: KickWish): Promise<number> {
  return withGateway(wish, (client) => kick(client, wish));
}

async function kick(client: AdminClient, { device, connection, address, delay }: KickWish): Promise<number> {
  const { body } = await client.post('/kick', {
    device_id: device,
    connection_id: connection,
    address,
    reconnect_after_ms: delay,
  });
  const { kicked, missing } = objectIn(body);
  const count = numberIn(kicked);
  say(`${count} ${count === 1 ? 'connection was' : 'connections were'} closed with code kicked`);
  sayMissing(missing);
  return count > 0 ? 0 : 1;
}
