// What the health of a gateway's components says, for tests that wait for it.
import type { TopicFigures } from '../../src/admin/kafka-figures.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import type { Component } from '../../src/health/component.ts';

/** The topic of the readings when all is well. */
export const READINGS_TOPIC: TopicFigures = {
  topic: 'readings',
  use: 'metrics',
  partitions: 6,
  failing: 0,
  held: 0,
  states: [],
  trouble: null,
  problems: [],
  lastError: null,
};

/** Undefined if there is none with this id. */
export function componentOf({ components }: Pick<Snapshot, 'components'>, id: string): Component | undefined {
  return components.find((component) => component.id === id);
}

/** `degraded growing`, for example. */
export function stateOf(snapshot: Pick<Snapshot, 'components'>, id: string): string {
  const { state, finding } = componentOf(snapshot, id) ?? {};
  return `${state} ${finding}`;
}

/** Kafka takes the records of the metrics topic, in every process. */
export function kafkaTakes({ kafka, components }: Snapshot): boolean {
  const metrics = kafka.topics.find(({ use }) => use === 'metrics')?.topic;
  return ['kafka', `topic ${metrics}`].every((id) => componentOf({ components }, id)?.state === 'ok');
}

/** Every component that is neither `ok` nor `unknown`, in words. */
export function troublesOf({ components }: Pick<Snapshot, 'components'>): string {
  return components
    .filter(({ state }) => state !== 'ok' && state !== 'unknown')
    .map(({ id, state, finding, reason, remedy }) => `${id} ${state} (${finding}): ${reason}; ${remedy}`)
    .join('\n');
}
