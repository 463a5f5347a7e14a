// Keeps archives of loaded classes (Java's AppCDS), with which a tool starts in 0.6 s of CPU instead of 1.1 s. The
// first run of a program that ends in order writes its archive beside Kafka's jars. Java ignores an archive of another
// Java or of other jars.
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import type { JavaRuntime } from './runtime.ts';

export interface ClassArchive {
  readonly flags: readonly string[];
  /** This run writes the archive if it ends by itself or after SIGTERM. */
  readonly isMade: boolean;
  /** Call it after the run has ended. */
  keep(): Promise<void>;
}

let made = 0;

const fileOf = ({ archives }: JavaRuntime, program: string): string => `${archives}-${program}.jsa`;

export const hasArchive = (runtime: JavaRuntime, program: string): boolean =>
  existsSync(fileOf(runtime, program));

/** @param program such as `broker`, since each program loads other classes */
export function classArchive(runtime: JavaRuntime, program: string, mayMake = true): ClassArchive {
  const file = fileOf(runtime, program);
  // Otherwise Java prints remarks about archives between the lines of the tools.
  const quiet = '-Xlog:disable';
  if (existsSync(file))
    return { flags: [quiet, `-XX:SharedArchiveFile=${file}`], isMade: false, keep: async () => {} };
  if (!mayMake) return { flags: [], isMade: false, keep: async () => {} };
  const partial = `${file}.${process.pid}-${made++}`;
  return {
    flags: [quiet, `-XX:ArchiveClassesAtExit=${partial}`],
    isMade: true,
    // It fails after a killed run, which writes no archive.
    keep: () => rename(partial, file).catch(() => {}),
  };
}
