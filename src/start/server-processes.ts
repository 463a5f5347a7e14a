// Decides how many server processes are started, and says why. It starts none.
import { type AvailableCpus, availableCpus } from '../config/available-cpus.ts';
import type { Settings } from '../config/settings.ts';
import { fewerProcessesText, processesFor } from '../config/shares.ts';
import type { Log } from '../log/log.ts';

/** TCP_PROCESSES, or fewer if the buffer or the spool is too small to be divided among so many. */
export function serverProcesses(settings: Settings, log: Log, cpus: AvailableCpus = availableCpus()): number {
  const asked = settings.TCP_PROCESSES || cpus.count;
  const count = processesFor(settings, asked);
  const explanation = fewerProcessesText(asked, count);
  if (explanation === undefined)
    log.write('server_processes_chosen', { processes: count.started, reason: reasonFor(settings, cpus) });
  else
    log.write('server_processes_lowered', {
      explanation,
      asked,
      started: count.started,
      setting: count.limit?.name,
    });
  return count.started;
}

/** To be read after "because". */
function reasonFor({ TCP_PROCESSES: set }: Settings, cpus: AvailableCpus): string {
  if (set === 0) return cpusText(cpus);
  const isTight = cpus.quota !== undefined && set > cpus.count;
  return `TCP_PROCESSES=${set}${isTight ? `, although ${cpusText(cpus)}` : ''}`;
}

function cpusText({ count, quota }: AvailableCpus): string {
  const cores = `${count} ${count === 1 ? 'core' : 'cores'}`;
  return quota === undefined
    ? `this process may use ${cores}`
    : `the control group (a container, or a unit of systemd) has a CPU quota of ${quotaText(quota)}, which counts as ${cores}`;
}

/** Two digits, as in Docker's --cpus and Kubernetes' millicores. */
function quotaText(quota: number): string {
  return `${Number(quota.toFixed(2))} CPUs`;
}
