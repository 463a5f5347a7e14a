// The type of an attack. The table of all attacks is attacks.ts.
import type { Arena } from './attackers/arena.ts';
import type { Evidence } from './evidence.ts';

export interface Attack {
  readonly name: string;
  /** The attack in words, for the table. */
  readonly does: string;
  /** A further promise that must hold, in words. check() tests it. */
  readonly holds?: string;
  /** Settings of the gateway that differ from the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The gateway has tokens, and the good devices' one is the only one that it knows. */
  readonly needsToken?: true;
  /** Processes that attack. Absent: 1. */
  readonly processes?: number;
  /** The attack lasts at least this long. */
  readonly minSeconds?: number;
  /** False if a sink cannot be attacked in this way, because the attack is not on the device port. */
  readonly hasSink?: false;
  /** The attack ends server processes, so good devices lose their connections, and latency is not judged. */
  readonly endsProcesses?: true;
  /** The attackers go to the TLS port, also without --tls. */
  readonly port?: 'tls';
  /** Runs in a process of attackers until the arena ends. */
  run(arena: Arena): Promise<void>;
  /** Problems beside those that problemsOf() finds for every attack, in words. */
  check?(evidence: Evidence): readonly string[];
}
