// Runs the gateway as a process: start, stop and exit codes. It decides nothing about devices or Kafka. Signals are in
// signals.ts.

import { EXIT_BUG } from '../config/exit-codes.ts';
import type { StopHow } from '../gateway/drain.ts';
import type { App } from '../gateway/lifecycle.ts';
import { logStopped } from '../gateway/stop-report.ts';
import type { StopResult } from '../gateway/stop-result.ts';
import type { Log } from '../log/log.ts';
import { watchParent } from './parent-watch.ts';
import { onSignals } from './signals.ts';

export interface ServeOptions {
  /** @param askDrain to be called if an operator asks for a drain */
  readonly create: (askDrain: () => void) => Promise<App>;
  /** SIGHUP without a terminal. */
  readonly reload: (app: App) => void;
  /** The process to stop with. Undefined if neither npm nor npx started this one. */
  readonly parent: number | undefined;
  readonly log: Log;
}

/** Resolves once the gateway is up. From then on a signal stops it. */
export async function serve({ create, reload, parent, log }: ServeOptions): Promise<void> {
  let app: App;
  let stopping = false;
  const stopApp = (how: StopHow) => {
    const stopped = app.stop(how);
    if (!stopping) void end(stopped, log);
    stopping = true;
  };
  try {
    app = await create(() => stopApp({ drains: true, reason: 'POST /drain' }));
  } catch (error) {
    log.write('start_failed', { explanation: startFailure(error), code: codeOf(error) });
    return exit(log, exitCodeOf(error));
  }
  onSignals(
    {
      stop: stopApp,
      isStopping: () => stopping,
      endAtOnce: (signal) => {
        log.write('second_signal_received', { signal });
        process.exit(1);
      },
      reload: () => reload(app),
    },
    { hasNpm: parent !== undefined },
  );
  if (parent !== undefined)
    watchParent(parent, (npmPid) => {
      if (stopping) return;
      log.write('npm_gone', { npmPid });
      stopApp({ reason: 'the process that started it is gone' });
    });
  try {
    await app.start();
  } catch (error) {
    // A signal broke off the start. That is no failure; end() reports the result.
    if (stopping) return;
    log.write('start_failed', { explanation: startFailure(error), code: codeOf(error) });
    await exit(log, exitCodeOf(error));
  }
}

async function end(stopped: Promise<StopResult>, log: Log): Promise<void> {
  const result = await stopped;
  logStopped(result, log);
  // Explicitly: a handle that someone forgot to close must not keep the process alive.
  await exit(log, result.complete ? 0 : 1);
}

/** An unexpected error ends the process: with a broken state it could confirm records that are not durable. */
export function exitOnBugs(log: Log): void {
  const end = (event: 'exception_uncaught' | 'rejection_unhandled') => (error: unknown) => {
    log.write(event, { err: error instanceof Error ? error : new Error(String(error)) });
    process.exit(EXIT_BUG);
  };
  process.on('uncaughtException', end('exception_uncaught'));
  process.on('unhandledRejection', end('rejection_unhandled'));
}

function exit(log: Log, code: number): Promise<never> {
  return new Promise(() => log.flush(() => process.exit(code)));
}

function startFailure(error: unknown): string {
  return `cannot start: ${error instanceof Error ? error.message : String(error)}`;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** An error that comes from the settings has an exit code of its own (78). */
function exitCodeOf(error: unknown): number {
  const exitCode = (error as { exitCode?: unknown } | null)?.exitCode;
  return typeof exitCode === 'number' ? exitCode : 1;
}
