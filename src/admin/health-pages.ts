// The pages about health: /readyz, /readyz?verbose and /health. Each is a text of one snapshot. Reasons name addresses,
// folders and topics, so who may not read /stats sees the states without them, but for the reasons of a 503.
import type { Component, State } from '../health/component.ts';
import { type AnswerForm, jsonBody, type Operations } from './operations.ts';
import { TEXT_TYPE } from './reply.ts';
import type { Readiness, Snapshot } from './snapshot.ts';

/** From best to worst. `unknown` says nothing about the whole. */
const BY_SEVERITY: readonly State[] = ['unknown', 'ok', 'degraded', 'failed'];

export const statusOf = ({ ready }: Readiness): number => (ready ? 200 : 503);

const readyz = (about: string): AnswerForm => ({
  about,
  content: { ...jsonBody('Readiness'), [TEXT_TYPE]: 'text' },
});

export const READYZ: Operations = {
  get: {
    about: 'Whether data sent now would be kept.',
    parameters: {
      verbose: { about: 'every component in words; with the token the reasons too', isPresence: true },
    },
    answers: {
      200: readyz('data sent now would be kept, also while Kafka is away and the spool has room'),
      503: readyz('data sent now might not be kept, with the reasons; or the gateway is starting'),
    },
  },
};

export const HEALTH: Operations = {
  get: {
    about: 'The state of each component. With the token also the reasons and what to do.',
    answers: {
      200: { about: 'data sent now would be kept', content: jsonBody('Health') },
      503: {
        about: 'data sent now might not be kept; or, as text, the gateway is starting',
        content: { ...jsonBody('Health'), [TEXT_TYPE]: 'text' },
      },
    },
  },
};

/** The body of /readyz. */
export interface ReadinessPage {
  readonly ready: boolean;
  /** Absent if it is ready. */
  readonly reasons?: readonly string[];
  /** Why records of topics that no setting names wait. */
  readonly otherTopics?: readonly string[];
}

/** The body of /health. Reasons and remedies are for those who may read. */
export interface HealthPage extends Readiness {
  /** Of the worst component. */
  readonly status: State;
  /** By id. */
  readonly components: Readonly<
    Record<string, Pick<Component, 'state' | 'finding'> & Partial<Pick<Component, 'reason' | 'remedy'>>>
  >;
  readonly version: string;
  readonly at: string;
}

/** The body of /readyz. Other topics do not change its status, and nobody else waits for them. */
export function readiness({ readiness: { ready, reasons }, components }: Snapshot): ReadinessPage {
  const otherTopics = components
    .filter(({ finding }) => finding === 'waiting_topic')
    .map(({ reason }) => reason);
  const waiting = otherTopics.length > 0 && { otherTopics };
  return ready ? { ready, ...waiting } : { ready, reasons, ...waiting };
}

/** The body of /health. @param mayRead whether reasons and remedies are shown */
export function health(
  { readiness: { ready, reasons }, components, at, version }: Snapshot,
  mayRead: boolean,
): HealthPage {
  const one = ({ state, finding, reason, remedy }: Component) =>
    mayRead ? { state, finding, reason, remedy } : { state, finding };
  return {
    status: worstOf(components),
    ready,
    reasons,
    components: Object.fromEntries(components.map((component) => [component.id, one(component)])),
    version,
    at,
  };
}

/** The body of /readyz?verbose. @param mayRead whether reasons and remedies are shown */
export function readinessInWords(snapshot: Snapshot, mayRead: boolean): string {
  const { ready, reasons } = snapshot.readiness;
  // In a drain, and with HTTP_READY_REQUIRES=kafka, data is kept without readiness: the reasons say what happens to it.
  const verdict = ready ? 'ready: data sent now would be kept' : 'not ready, for these reasons:';
  const width = Math.max(...snapshot.components.map(({ id }) => id.length)) + 2;
  const lines = snapshot.components.flatMap(({ id, state, finding, reason, remedy }) => {
    const what = state === finding ? '' : ` (${finding})`;
    const words = mayRead ? `: ${reason}` : '';
    const advice = mayRead && remedy !== null ? [`${' '.repeat(width)}to do: ${remedy}`] : [];
    return [`${id.padEnd(width)}${state}${what}${words}`, ...advice];
  });
  return [verdict, ...reasons.map((reason) => `- ${reason}`), '', ...lines].join('\n');
}

function worstOf(components: readonly Component[]): State {
  const worst = Math.max(...components.map(({ state }) => BY_SEVERITY.indexOf(state)));
  return BY_SEVERITY[worst] ?? 'unknown';
}
