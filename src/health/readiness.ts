// Answers the question of /readyz: would data sent now be kept? That is: accepted, and then durable in Kafka or in the
// spool without anybody doing something first. If that is so for a part of the devices only, the answer is no.
//
// | no, because                                  | why                                                               |
// |----------------------------------------------|-------------------------------------------------------------------|
// | it starts, is drained or stops               | devices are not served, or soon not any more                      |
// | no server process answers                    | nobody reads                                                      |
// | the spool refuses writes and Kafka does not  | records would stay in memory, and then devices are paused         |
// | take all records                             |                                                                   |
// | memory has been full for 2 s                 | devices are paused                                                |
// | the queue is full, and drops lines           | lines are answered `queue_full`                                   |
// | HTTP_READY_REQUIRES=kafka, and Kafka takes   | asked for by the operator                                         |
// | nothing                                      |                                                                   |
//
// Not among them, because connected devices go on: all places are taken, open files have run out, one of several
// processes hangs or is started again, a certificate has expired, dead letters wait.
import type { Figures, Readiness } from '../admin/snapshot.ts';
import type { Component } from './component.ts';
import type { Phase } from './found.ts';
import { takesAll, takesNone } from './kafka-components.ts';

export interface ReadinessOptions {
  readonly phase: Phase;
  /** HTTP_READY_REQUIRES. */
  readonly requires: 'spool' | 'kafka';
}

export function readinessOf(
  figures: Figures,
  components: readonly Component[],
  { phase, requires }: ReadinessOptions,
): Readiness {
  const reasonOf = (id: string, ...findings: string[]) => {
    const component = components.find((one) => one.id === id);
    return component !== undefined && findings.includes(component.finding) ? [component.reason] : [];
  };
  const reasons = [
    ...(phase === 'starting' ? ['the gateway is starting'] : []),
    ...reasonOf('processes', 'stopping', 'draining', 'none'),
    ...(takesAll(figures) ? [] : spoolRefuses(figures)),
    ...reasonOf('buffer', 'full'),
    ...reasonOf('queue', 'dropping'),
    ...(requires === 'kafka' && takesNone(figures) ? kafkaReasons(components) : []),
  ];
  return { ready: reasons.length === 0, reasons };
}

function spoolRefuses({ spool: { refusal } }: Figures): string[] {
  return refusal === null
    ? []
    : [`the spool takes no records and Kafka does not take all: ${refusal.reason}`];
}

function kafkaReasons(components: readonly Component[]): string[] {
  const reasons = components
    .filter(({ id, state }) => (id === 'kafka' || id.startsWith('topic ')) && state !== 'ok')
    .map(({ id, reason }) => `${id}: ${reason}`);
  return reasons.length === 0 ? ['Kafka takes no records'] : reasons;
}
