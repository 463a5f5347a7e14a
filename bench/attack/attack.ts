// The type of an attack. The table of all attacks is attacks.ts.
import type { Arena } from './attackers/arena.ts';
import type { Evidence } from './evidence.ts';

export interface Attack {
  readonly name: string;
  /** In words, for the table. */
  readonly does: string;
  /** Must hold besides the good devices' latency, their data and the gateway's memory. */
  readonly holds?: string;
  /** Over the gateway's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Processes of attackers. Absent: 1. */
  readonly processes?: number;
  /** The attack lasts at least so long. */
  readonly minSeconds?: number;
  /** False if it cannot be sent to a sink: it is not about the device port. */
  readonly hasSink?: false;
  /** The attack ends server processes, so good devices lose their connections, and latency is not judged. */
  readonly endsProcesses?: true;
  /** Runs in a process of attackers until the arena ends. */
  run(arena: Arena): Promise<void>;
  /** Further problems, in words. */
  check?(evidence: Evidence): readonly string[];
}
