// The table of the attacks of `npm run attack`. A new attack is a new entry in its family.
import type { Attack } from './attack.ts';
import { MEMORY_ATTACKS } from './attackers/bytes-held.ts';
import { CONNECTION_ATTACKS } from './attackers/connections.ts';
import { LINE_ATTACKS } from './attackers/lines.ts';
import { NOISY_ATTACKS } from './attackers/noisy.ts';
import { PROCESS_ATTACKS } from './attackers/processes.ts';
import { PROTOCOL_ATTACKS } from './attackers/protocols.ts';
import { TLS_ATTACKS } from './attackers/tls.ts';

export const ATTACKS: readonly Attack[] = [
  ...LINE_ATTACKS,
  ...MEMORY_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...NOISY_ATTACKS,
  ...PROTOCOL_ATTACKS,
  ...PROCESS_ATTACKS,
  ...TLS_ATTACKS,
];

/** Those of `npm run attack -- --tls`: they are about bytes after the handshake, or about the handshake itself. */
export const ATTACKS_OVER_TLS: readonly Attack[] = [...LINE_ATTACKS, ...NOISY_ATTACKS, ...TLS_ATTACKS];
