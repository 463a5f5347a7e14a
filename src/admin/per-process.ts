// The figures that are exported for each process beside their sum, so that one process that differs from the others can be
// seen. Their number grows with TCP_PROCESSES, so they are few.
import type { ByProcess } from './figures.ts';
import type { Figures } from './snapshot.ts';

/** One process of the gateway, as the process with the admin port knows it. */
export interface ProcessSnapshot {
  /** The number of a server process. */
  readonly name: string;
  /** It runs, and its figures are fresh. */
  readonly answers: boolean;
  /** Undefined before its first figures. */
  readonly snapshot: Figures | undefined;
}

/** The name of the process that opens the ports for several others. It serves no device. */
const FIRST_PROCESS = 'first';

/** @param first the figures of the first process, if it serves no device itself */
export function byProcess(
  processes: readonly ProcessSnapshot[],
  first?: Figures['process'],
): Figures['byProcess'] {
  const known = processes.flatMap(({ name, snapshot }) => (snapshot === undefined ? [] : { name, snapshot }));
  const each = (read: (snapshot: Figures) => number): ByProcess =>
    Object.fromEntries(known.map(({ name, snapshot }) => [name, read(snapshot)]));
  const withFirst = (read: (process: Figures['process']) => number): ByProcess => ({
    ...each(({ process }) => read(process)),
    ...(first && { [FIRST_PROCESS]: read(first) }),
  });
  return {
    up: Object.fromEntries(processes.map(({ name, answers }) => [name, answers ? 1 : 0])),
    connections: each(({ connections }) => connections.active),
    linesReceived: each(({ lines }) => lines.received),
    recordsConfirmed: each(({ records }) => records.confirmed),
    kafkaBufferBytes: each(({ kafka }) => kafka.bufferBytes),
    cpuSeconds: withFirst(({ cpuSeconds }) => cpuSeconds),
    residentBytes: withFirst(({ residentBytes }) => residentBytes),
    eventLoopLagP99Seconds: withFirst(({ eventLoopLagP99Seconds }) => eventLoopLagP99Seconds),
  };
}
