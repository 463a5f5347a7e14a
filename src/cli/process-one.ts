// The first process of a container has the id 1, and for it a signal without a listener does nothing: neither Ctrl-C nor
// `docker stop` would end a command, nor a gateway that is not yet up. So it gets listeners that end it, as any other process
// ends. They step back for a command that listens itself.
import { constants } from 'node:os';

export function endOnSignalsAsAnyProcess(pid = process.pid): void {
  if (pid !== 1) return;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      // Exit codes of shells for a process that a signal ended.
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
