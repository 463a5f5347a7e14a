// What the contracts say depends on a few settings. These are noted for each gateway of a test run, so that its lines and
// records are judged by its own settings.
import { randomUUID } from 'node:crypto';
import type { MessageRules } from '../../../scripts/contracts/messages.ts';
import { rulesOf } from '../../../scripts/contracts/rules.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { linesTopic } from '../../../src/gateway/lines-port.ts';
import { note } from './traffic-file.ts';

export interface GatewayFacts {
  readonly id: string;
  /** It has a process of its own, or is one of several. Else it is in the process of a test file. */
  readonly isProcess: boolean;
  readonly rules: MessageRules;
  /** Lines of old devices are translated, which no schema says. */
  readonly isGo: boolean;
  /** TCP_STRICT. */
  readonly warns: boolean;
  readonly topics: {
    readonly metrics: string;
    readonly lines: readonly string[];
    readonly dead: string | null;
    readonly presence: string | null;
    readonly alarms: string | null;
  };
  /** KAFKA_KEY. */
  readonly key: string;
  /** Names of KAFKA_HEADERS. */
  readonly headers: readonly string[];
}

/** @returns the id under which its traffic is noted */
export function noteGateway(settings: Settings, { isProcess }: Pick<GatewayFacts, 'isProcess'>): string {
  // A run starts so many processes that the system gives a process id twice.
  const id = randomUUID();
  const facts: GatewayFacts = {
    id,
    isProcess,
    rules: rulesOf(settings),
    isGo: settings.TCP_COMPATIBILITY === 'go',
    warns: settings.TCP_STRICT === 'warn',
    topics: {
      metrics: settings.KAFKA_TOPIC_METRICS,
      lines: settings.TCP_LINES_PORT === null ? [] : [linesTopic(settings), ...settings.TCP_LINES_TOPICS],
      dead: settings.KAFKA_TOPIC_DEAD_LETTERS,
      presence: settings.KAFKA_TOPIC_PRESENCE,
      alarms: settings.KAFKA_TOPIC_ALARMS,
    },
    key: settings.KAFKA_KEY,
    headers: settings.KAFKA_HEADERS.map(({ name }) => name),
  };
  note('gateway', '', () => facts, { first: Number.POSITIVE_INFINITY, oneIn: 1 });
  return id;
}
