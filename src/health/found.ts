// Makes a component of a finding, and lists all that a finding depends on besides the figures.
import { countText } from '../config/amounts.ts';
import type { Component, Finding, State } from './component.ts';
import { COMPONENTS, type ComponentName, type FindingOf } from './findings.ts';

/** `draining`: it still serves, and asks for no new devices. `stopping`: it takes no new lines. */
export type Phase = 'starting' | 'serving' | 'draining' | 'stopping';

export interface Context {
  readonly phase: Phase;
  /** TCP_JOB_QUEUE_FULL=drop. */
  readonly dropsLines: boolean;
  /** Whether the component had this finding when it was last looked at. */
  readonly had: <C extends ComponentName>(component: C, finding: FindingOf<C>) => boolean;
}

export interface Details {
  /** Left out: the component's name. */
  readonly id?: string;
  readonly reason: string;
  /** Left out: that of the table. */
  readonly remedy?: string;
  /** Left out: that of the table. */
  readonly state?: State;
}

export function found<C extends ComponentName>(
  component: C,
  finding: FindingOf<C> & string,
  { id = component, reason, remedy, state }: Details,
): Component {
  const findings: Readonly<Record<string, Finding>> = COMPONENTS[component].findings;
  const known = findings[finding];
  return {
    id,
    state: state ?? known?.state ?? 'unknown',
    finding,
    reason,
    remedy: remedy ?? known?.remedy ?? null,
  };
}

/** `1 record waits`, `2 records wait`. */
export function waiting(count: number, noun: string): string {
  return `${counted(count, noun)} ${count === 1 ? 'waits' : 'wait'}`;
}

/** `1 partition`, `2 partitions`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}
