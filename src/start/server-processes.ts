// Decides how many server processes are started. It starts none.
import { availableParallelism } from 'node:os';
import type { Settings } from '../config/settings.ts';
import { fewerProcessesText, processesFor } from '../config/shares.ts';
import type { Log } from '../log/log.ts';

/** TCP_PROCESSES, or fewer if the buffer or the spool is too small to be divided among so many. */
export function serverProcesses(settings: Settings, log: Log): number {
  const asked = settings.TCP_PROCESSES || availableParallelism();
  const count = processesFor(settings, asked);
  const explanation = fewerProcessesText(asked, count);
  if (explanation !== undefined)
    log.write('server_processes_lowered', {
      explanation,
      asked,
      started: count.started,
      setting: count.limit?.name,
    });
  return count.started;
}
