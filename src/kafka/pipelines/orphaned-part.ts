// One process's part of the spool as the sending of orphaned spools sees it: opens the part of a former process, and
// removes it once it is empty. It sends nothing.
import { existsSync } from 'node:fs';
import type { Log } from '../../log/log.ts';
import { deadLettersDirectory } from '../../spool/parts.ts';
import { Spool, type SpoolOptions } from '../../spool/spool.ts';
import type { Pipeline } from './pipeline.ts';

/** How readings, or dead letters, are opened and sent. */
export interface SpoolKind {
  readonly spoolOptions: Omit<SpoolOptions, 'directory'>;
  readonly createPipeline: (topic: string) => Pipeline;
  /** Why nothing of this kind can be sent at all, or null. */
  readonly blocked: string | null;
}

export interface Part {
  readonly directory: string;
  readonly readings: Spool;
  /** Undefined if the process left none. */
  readonly letters: Spool | undefined;
  /** This process's own part, which stays in use. */
  readonly isOwn: boolean;
}

/** Locks the part. @throws SpoolLockedError if another process has it, or the system's error */
export async function openPart(
  directory: string,
  { readings, letters }: { readonly readings: SpoolKind; readonly letters: SpoolKind },
): Promise<Part> {
  const part = await Spool.open({ ...readings.spoolOptions, directory });
  try {
    const inside = deadLettersDirectory(directory);
    const opened = existsSync(inside)
      ? await Spool.open({ ...letters.spoolOptions, directory: inside })
      : undefined;
    return { directory, readings: part.spool, letters: opened?.spool, isOwn: false };
  } catch (error) {
    await part.spool.close();
    throw error;
  }
}

/** Removes an empty part while its lock is held, and closes it. Damaged bytes that were set aside stay. */
export async function removePart({ directory, letters, readings }: Part, log: Log): Promise<void> {
  try {
    const isEmpty = letters === undefined || (await letters.remove());
    if (isEmpty && (await readings.remove())) {
      log.write('orphan_removed', { directory });
      return;
    }
    log.write('orphan_damage_kept', { directory });
  } catch (error) {
    log.write('orphan_directory_kept', { directory, err: error });
  }
  await letters?.close();
  await readings.close();
}
