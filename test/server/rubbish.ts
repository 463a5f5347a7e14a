// Input that costs the gateway as much as possible and makes no record.
import { Device } from '../support/device.ts';
import type { Gateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

const FIELDS = Array.from({ length: 4000 }, (_, index) => `"${index}":[1,{}]`).join(',');

export const RUBBISH = [
  '{}\n'.repeat(50_000),
  '[1]\n'.repeat(20_000),
  `{"type":"metrics","data":[${Array(1000).fill('"a=b,c=d,e=f"').join(',')}]}\n`.repeat(100),
  `{"type":"metrics","data":{${FIELDS}}}\n`.repeat(100),
  `{"type":"metrics","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`.repeat(100),
];

/** Sends it on a connection of its own. Resolves when the gateway has handled it, or slows the connection down. */
export async function sendRubbish(gateway: Gateway, bytes: string): Promise<void> {
  const bad = await Device.connect(gateway.port);
  bad.send(bytes);
  bad.halfClose();
  const isSlowed = () => gateway.snapshot().connections.slowed > 0;
  await waitFor('its end, or its slowing down', () => bad.ended || isSlowed());
  bad.destroy();
  await waitFor('its end', () => !isSlowed());
}
