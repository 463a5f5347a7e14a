// The form of a rule.

import type { Gateway } from './client/gateway.ts';

export interface Rule {
  /** Such as `lines.crlf`. The part before the point is the file of the rule. */
  readonly id: string;
  /** The heading of docs/protocol.md that the rule comes from. */
  readonly section: string;
  /** The promise in a sentence. */
  readonly says: string;
  /** Takes longer than a few seconds, so it is checked with --slow only. */
  readonly isSlow?: boolean;
  /** A gateway with TCP_COMPATIBILITY=go takes lines that this rule wants refused. */
  readonly isRelaxedByGo?: boolean;
  /** Resolves if the gateway keeps the rule. @throws Failed, NotChecked */
  readonly check: (gateway: Gateway) => Promise<void>;
}
