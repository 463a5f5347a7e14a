// Log lines of signals, the stop and the end of the process.
import type { LineTable } from '../line.ts';

/** The balance of all records since the start: in words, and as numbers in JSON. */
const BALANCE = { summary: 'words', balance: 'object' } as const;

export const STOP_LINES = {
  stop_began: {
    level: 'info',
    text: 'stopping: no new connections, finishing what was accepted',
    fields: { reason: 'text?' },
    meaning:
      'The gateway stops because of `reason`, a signal or a request. It ends within `SHUTDOWN_TIMEOUT`: what was accepted goes to Kafka, or else to the spool.',
  },
  drain_began: {
    level: 'info',
    text: 'draining for {drainMs}: not ready, and still serving',
    fields: { drainMs: 'ms', devices: 'count', reason: 'text?' },
    meaning:
      'The order to stop came (`reason`), and `SHUTDOWN_DRAIN` is set. `/readyz` says 503, so that balancers send no new devices. Devices are served as before.',
    look: '`sluice_connections` of this gateway and of the others.',
    remedy: 'To stop now, send SIGINT after `POST /drain`. A second signal stops hard.',
  },
  departures_began: {
    level: 'info',
    text: 'draining: no new connections, {devices} devices are told to go within {overMs} and come back within {returnMs}',
    fields: { devices: 'count', overMs: 'ms', returnMs: 'ms' },
    meaning:
      'The ports are closed. Each device hears `closing` with code `draining` once its lines are answered, one after the other over `SHUTDOWN_SPREAD`.',
  },
  npm_gone: {
    level: 'warn',
    text: 'npm, which started the gateway, is gone (pid {npmPid}): stopping with it',
    fields: { npmPid: 'number' },
    meaning:
      'The process of `npm start` or `npx sluice` has ended without stopping the gateway, which stops in order by itself. Gateways that npm did not start never do that.',
    remedy:
      'Nothing, if that was the wish. A service manager should start the program `sluice` itself, without npm or npx, so that signals reach it.',
  },
  stopped: {
    level: 'info',
    text: 'stopped: {summary}',
    fields: BALANCE,
    meaning:
      'The gateway has ended with exit code 0. Each accepted record is in Kafka or in the spool. `balance` has the numbers since the start; `spooled` waits on disk and is sent after the next start.',
    look: '`sluice spool ls`',
  },
  stopped_hard: {
    level: 'error',
    text: 'stopped hard: {unconfirmed} accepted readings were lost, because {why}. No device was told `stored` for any of them, so devices that wait for it send them again. {summary}',
    fields: { unconfirmed: 'count', why: 'text', ...BALANCE },
    meaning:
      'The gateway has ended with exit code 1. `unconfirmed` accepted records, and lines that were read and not handled, are neither in Kafka nor on disk. None of them was confirmed to its device.',
    look: '`df -h` of `SPOOL_DIR`, `sluice spool ls`, and the lines before',
    remedy:
      'Raise `SHUTDOWN_TIMEOUT`, and give the spool room (`SPOOL_MAX_BYTES`, free space of `SPOOL_DIR`).',
  },
  stopped_hard_unknown: {
    level: 'error',
    text: 'stopped hard: a server process ended without telling what it still held, so readings may be lost; no device was told `stored` for any of them. Last known: {summary}',
    fields: BALANCE,
    meaning:
      'The gateway has ended with exit code 1. A server process was killed during the stop. What it had on disk is sent after the next start. What it held in memory is lost, unless its devices send it again.',
    remedy:
      'Look at the lines before: they say which process did not stop. Raise `SHUTDOWN_TIMEOUT` if it needed more time.',
  },
  second_signal_received: {
    level: 'fatal',
    text: 'second signal: stopping at once; records that are neither confirmed nor on disk are lost, how many is not known',
    fields: { signal: 'text' },
    meaning:
      'A second signal came during the stop, and the process has ended at once with exit code 1. No device was told `stored` for a record that is lost.',
    remedy: 'Wait for `SHUTDOWN_TIMEOUT` before a second signal. systemd: `TimeoutStopSec` has to be longer.',
  },
  files_reload_began: {
    level: 'info',
    text: 'files are read again: certificates, tokens and passwords',
    fields: { signal: 'text' },
    meaning: 'SIGHUP. Lines about each file that changed follow.',
  },
  settings_need_restart: {
    level: 'warn',
    text: 'changed in .env since the start: {settings}; the new values count after a restart',
    fields: { settings: 'texts' },
    meaning:
      'SIGHUP came without a terminal. Of the settings only `LOG_LEVEL` changes while the gateway runs, and these keep their former values.',
    remedy: 'Restart the gateway when it suits.',
  },
  settings_invalid: {
    level: 'error',
    text: 'the settings are no longer valid, so the next start will fail: {problems}',
    fields: { problems: 'texts' },
    meaning:
      'SIGHUP came, and `.env` or a file that it names is wrong. The gateway goes on with its former settings.',
    look: '`sluice --print-config` in the same directory prints the same problems.',
    remedy: 'Correct the settings that the text names, and send SIGHUP again.',
  },
  exception_uncaught: {
    level: 'fatal',
    text: 'uncaught exception: this is a bug',
    fields: { err: 'error' },
    meaning:
      'The process has ended at once with exit code 70, because it can no longer trust its state. What was confirmed is in Kafka or in the spool.',
    remedy: 'Start it again: it sends what is on disk. Report the line with its stack.',
  },
  rejection_unhandled: {
    level: 'fatal',
    text: 'unhandled rejection: this is a bug',
    fields: { err: 'error' },
    meaning:
      'The process has ended at once with exit code 70, because it can no longer trust its state. What was confirmed is in Kafka or in the spool.',
    remedy: 'Start it again: it sends what is on disk. Report the line with its stack.',
  },
} as const satisfies LineTable;
