// Archives of loaded classes (Java's AppCDS), which halve the CPU of a JVM's start: 1.1 s became 0.6 s for a tool.
// The first run of a program that ends in order leaves its archive beside Kafka's jars; later runs map it.
// Java ignores an archive that fits neither it nor the jars, so an old one does no harm.
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import type { JavaRuntime } from './runtime.ts';

export interface ClassArchive {
  readonly flags: readonly string[];
  /** This run makes the archive, if it ends by itself or by SIGTERM. */
  readonly isMade: boolean;
  /** To be called after the end of a run that makes the archive. */
  keep(): Promise<void>;
}

let made = 0;

/** @param program such as `broker`: each program loads other classes */
export function classArchive({ archives }: JavaRuntime, program: string, mayMake = true): ClassArchive {
  const file = `${archives}-${program}.jsa`;
  // Otherwise Java prints warnings about archives into the output of the tools.
  const quiet = '-Xlog:disable';
  if (existsSync(file))
    return { flags: [quiet, `-XX:SharedArchiveFile=${file}`], isMade: false, keep: async () => {} };
  if (!mayMake) return { flags: [], isMade: false, keep: async () => {} };
  const partial = `${file}.${process.pid}-${made++}`;
  return {
    flags: [quiet, `-XX:ArchiveClassesAtExit=${partial}`],
    isMade: true,
    // A killed run leaves none. A run at the same time may have been first, and its archive is as good.
    keep: () => rename(partial, file).catch(() => {}),
  };
}
