// Log lines about server processes (TCP_PROCESSES).
import type { LineTable } from '../line.ts';

export const PROCESS_LINES = {
  process_hung: {
    level: 'error',
    text: 'A server process has not answered for 10 s and is killed; what it had on disk is taken up, nothing confirmed is lost',
    fields: { process: 'number', childPid: 'number?' },
    meaning:
      'The first process has killed a server process that hung, and starts it again. Its devices are disconnected and connect again.',
    look: '`/stats`, and the load of the machine at that time: `vmstat 1`, `dmesg -T`.',
    remedy:
      'Nothing now. If it comes again: a disk or a machine that stands still for seconds is the usual cause.',
  },
  process_killed_at_stop: {
    level: 'error',
    text: 'A server process did not stop in time and was killed; how many records it still held is not known',
    fields: { process: 'number', lastSeen: 'object' },
    meaning:
      'A server process had not ended 1 s after `SHUTDOWN_TIMEOUT`. `lastSeen` are its last known figures.',
    remedy: 'Raise `SHUTDOWN_TIMEOUT`, and look why the disk or Kafka was slow.',
  },
  process_ended_before_stop: {
    level: 'error',
    text: 'A server process ended before it had stopped; how many records it still held is not known',
    fields: { process: 'number', lastSeen: 'object' },
    meaning: 'Something else ended a server process during the stop. `lastSeen` are its last known figures.',
    look: '`dmesg -T | grep -i kill`: the kernel kills processes when memory runs out.',
    remedy: 'Send signals to the first process only, and give the machine or container enough memory.',
  },
  process_failed: {
    level: 'error',
    text: 'Server process failed',
    fields: { err: 'error', process: 'number' },
    meaning: 'A server process could not be started, or could not be talked to. It is tried again.',
    remedy:
      'Look at `err`: EAGAIN means too many processes, EMFILE too many open files, ENOMEM too little memory.',
  },
  process_crashed: {
    level: 'error',
    text: 'A server process crashed, starting it again; what it had on disk is taken up, nothing confirmed is lost',
    fields: { process: 'number', how: 'text', reason: 'text?', restartInMs: 'ms' },
    meaning:
      'A server process ended by itself: `how` is its exit code or signal. Its devices are disconnected and connect again. Records that it held in memory were not confirmed to their devices.',
    look: 'Lines of that process before, and `dmesg -T | grep -i kill` if `how` is SIGKILL.',
    remedy:
      'Nothing now. If `how` is SIGKILL, memory has probably run out: give it more, or lower `TCP_PROCESSES`.',
  },
  process_crashed_leaving: {
    level: 'error',
    text: 'A server process crashed while its devices were told to go; what it had on disk is sent after the next start, nothing confirmed is lost',
    fields: { process: 'number', how: 'text', reason: 'text?' },
    meaning:
      'In a drain, a server process ended by itself: `how` is its exit code or signal. It is not started again, because the gateway is about to stop.',
    look: 'Lines of that process before, and `dmesg -T | grep -i kill` if `how` is SIGKILL.',
    remedy: 'Start the gateway again with the same `SPOOL_DIR`.',
  },
  process_returned: {
    level: 'info',
    text: 'The server process is back',
    fields: { process: 'number' },
    meaning: 'The server process serves devices again.',
  },
  parent_gone: {
    level: 'warn',
    text: 'The first process (pid {gatewayPid}) has ended without stopping the gateway, probably by kill -9 or because memory ran out. The server processes stop in order: what they accepted goes to Kafka or to the spool',
    fields: { gatewayPid: 'number' },
    once: true,
    meaning:
      'Something ended the first process. Its server processes notice at once, take no new devices and stop as at SIGTERM. A new start waits until they have ended.',
    look: '`dmesg -T | grep -i kill`, `journalctl -k | grep -i "out of memory"`, and `docker inspect` (OOMKilled) for a container.',
    remedy:
      'Start the gateway again, if the service manager has not done it. Give it more memory if the kernel killed it. Stop it with SIGTERM, never with SIGKILL.',
  },
} as const satisfies LineTable;
