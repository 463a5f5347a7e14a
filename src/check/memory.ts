// Judges whether the buffers of the settings fit into the memory that this process may use: that of the machine, or less
// in a control group.

import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type GroupDirectory, groupDirectories, linesIn } from '../config/control-groups.ts';
import type { Settings } from '../config/settings.ts';
import { counted } from '../health/found.ts';
import type { Log } from '../log/log.ts';

const MIB = 2 ** 20;
/** A process after its start, with its program and room for garbage. Measured: 75 to 95 MiB. */
const PROCESS_BYTES = 100 * MIB;
/** An idle connection, see docs/benchmarks.md. */
const CONNECTION_BYTES = 6 * 2 ** 10;
/** Of dead letters, in each process. */
const LETTERS_BYTES = 8 * MIB;

export interface MemoryLimit {
  readonly bytes: number;
  /** To be read before the number. */
  readonly text: string;
}

/**
 * Both are of the process that asks, and its children have the same. Node's `constrainedMemory` looks at one group only, and
 * a limit may belong to one above it, such as a slice of systemd.
 */
export function memoryLimit({ root = '/', machine = totalmem() } = {}): MemoryLimit {
  const group = Math.min(...groupDirectories('memory', root).flatMap(limitsOf));
  if (group < machine)
    return { bytes: group, text: 'its control group (a container, or a unit of systemd) allows' };
  return { bytes: machine, text: 'this machine has' };
}

/** Past `memory.high` processes are slowed down for as long as they hold more. */
function limitsOf({ version, directory }: GroupDirectory): number[] {
  const names = version === 2 ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes'];
  return names.map((name) => Number(linesIn(join(directory, name))[0])).filter((bytes) => bytes > 0);
}

/** The most that the gateway takes if all of its buffers are full. */
export function memoryNeed(settings: Settings, processes: number): number {
  const { TCP_BUFFER_BYTES, KAFKA_BUFFER_BYTES, TCP_MAX_CONNECTIONS } = settings;
  const each = processes * (PROCESS_BYTES + LETTERS_BYTES);
  return TCP_BUFFER_BYTES + KAFKA_BUFFER_BYTES + TCP_MAX_CONNECTIONS * CONNECTION_BYTES + each;
}

export function judgeMemory(
  settings: Settings,
  { processes, log, limit = memoryLimit() }: { processes: number; log: Log; limit?: MemoryLimit },
): void {
  const needBytes = memoryNeed(settings, processes);
  if (needBytes <= limit.bytes) return;
  const parts = `TCP_BUFFER_BYTES, KAFKA_BUFFER_BYTES, ${settings.TCP_MAX_CONNECTIONS} connections, ${counted(processes, 'process')}`;
  log.write('memory_short', { needBytes, parts, limit: limit.text, limitBytes: limit.bytes, processes });
}
