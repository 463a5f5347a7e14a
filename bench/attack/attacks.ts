// The table of the attacks of `npm run attack`. A new attack is a new entry in its family.
import type { Attack } from './attack.ts';
import { MEMORY_ATTACKS } from './attackers/bytes-held.ts';
import { CONNECTION_ATTACKS } from './attackers/connections.ts';
import { LINE_ATTACKS } from './attackers/lines.ts';
import { NOISY_ATTACKS } from './attackers/noisy.ts';
import { PROCESS_ATTACKS } from './attackers/processes.ts';
import { PROTOCOL_ATTACKS } from './attackers/protocols.ts';

export const ATTACKS: readonly Attack[] = [
  ...LINE_ATTACKS,
  ...MEMORY_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...NOISY_ATTACKS,
  ...PROTOCOL_ATTACKS,
  ...PROCESS_ATTACKS,
];
