// Rules on the tokens of devices.
import type { Gateway } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

const section = 'tokens';
/** The answer to a refused token comes after 1 to 1.5 s; clocks and timers may be off by a little. */
const MIN_MS = 950;

async function unauthorized(gateway: Gateway, token: string | undefined): Promise<void> {
  if (gateway.options.token === undefined) throw new NotChecked('needs --token');
  const device = await gateway.connect();
  const fromMs = performance.now();
  await device.send(`${gateway.identify({ token })}\n{"type":"keepalive"}\n`).expect('unauthorized');
  if (performance.now() - fromMs < MIN_MS) throw device.failed('`unauthorized` after 1 to 1.5 s, not sooner');
  await device.closed();
}

export const TOKEN_RULES: readonly Rule[] = [
  {
    id: 'tokens.missing',
    section,
    says: 'If the gateway has tokens, an identify without one is `unauthorized` after 1 to 1.5 s, and the connection is closed.',
    check: (gateway) => unauthorized(gateway, undefined),
  },
  {
    id: 'tokens.unknown',
    section,
    says: 'An identify with a token that is not known is `unauthorized` in the same way.',
    check: (gateway) => unauthorized(gateway, 'conformance: not a token'),
  },
];
