// The folders of the outbox, below `resend` in SPOOL_DIR, and the options of its spools. No I/O.
import { join } from 'node:path';
import { spoolOptions } from '../kafka/from-settings.ts';
import type { PipelineContext } from '../kafka/pipelines/pipeline.ts';
import { SpoolCap } from '../spool/spool-cap.ts';

const OUTBOX = 'resend';

export function outboxDirectory(root: string): string {
  return join(root, OUTBOX);
}

export function outboxSpool(root: string): string {
  return join(outboxDirectory(root), 'spool');
}

/** @param log a folder's path below SPOOL_DIR */
export function isInOutbox(log: string): boolean {
  return log.startsWith(`${OUTBOX}/`);
}

export function outboxOptions({ settings, log }: Pick<PipelineContext, 'settings' | 'log'>) {
  // Always synced, because a taken letter is not taken again. No letter waits for room, because it leaves the disk soon.
  const cap = new SpoolCap(Number.MAX_SAFE_INTEGER);
  return { ...spoolOptions(settings, 'SPOOL_DEAD_BYTES', log), cap, sync: 'batch' as const };
}
