// Runs the gateway as a process: start, signals, stop and exit codes. It decides nothing about devices or Kafka.
import type { App, StopResult } from '../app.ts';
import type { Logger } from '../log/logger.ts';

/** sysexits.h EX_SOFTWARE: a bug. The state is unknown, so the process ends at once. */
const EXIT_BUG = 70;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Resolves once the gateway is up. From then on a signal stops it. */
export async function serve(create: () => App, log: Logger): Promise<void> {
  let app: App;
  try {
    app = create();
  } catch (error) {
    log.fatal({ code: codeOf(error) }, startFailure(error));
    return exit(log, exitCodeOf(error));
  }
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) {
        log.fatal(
          { signal },
          'second signal: stopping at once; records that are neither confirmed nor on disk are lost, how many is not known',
        );
        process.exit(1);
      }
      stopping = true;
      log.info({ signal }, 'stopping: no new connections, finishing what was accepted');
      void stop(app, log);
    });
  }
  try {
    await app.start();
  } catch (error) {
    // A signal broke off the start. That is no failure; stop() reports the result.
    if (stopping) return;
    log.fatal({ code: codeOf(error) }, startFailure(error));
    await exit(log, exitCodeOf(error));
  }
}

async function stop(app: App, log: Logger): Promise<void> {
  const { complete, unconfirmed } = await app.stop();
  if (complete) log.info('stopped');
  else log.error({ unconfirmed }, hardStop(unconfirmed));
  // Explicitly: a handle that someone forgot to close must not keep the process alive.
  await exit(log, complete ? 0 : 1);
}

function hardStop(unconfirmed: StopResult['unconfirmed']): string {
  if (unconfirmed === 'unknown')
    return 'stopped hard: a server process ended without telling what it still held, so records may be lost; none of them was confirmed to its device';
  return 'stopped hard: SHUTDOWN_TIMEOUT passed before all records were confirmed or in the spool';
}

/** An unexpected error ends the process: with a broken state it could confirm records that are not durable. */
export function exitOnBugs(log: Logger): void {
  const end = (kind: string) => (error: unknown) => {
    log.fatal({ err: error instanceof Error ? error : new Error(String(error)) }, kind);
    process.exit(EXIT_BUG);
  };
  process.on('uncaughtException', end('uncaught exception: this is a bug'));
  process.on('unhandledRejection', end('unhandled rejection: this is a bug'));
}

function exit(log: Logger, code: number): Promise<never> {
  return new Promise(() => log.flush(() => process.exit(code)));
}

function startFailure(error: unknown): string {
  const { code, message, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  const where = `${address ?? ''}:${port ?? ''}`;
  if (code === 'EADDRINUSE') return `cannot start: ${where} is in use by another process`;
  if (code === 'EADDRNOTAVAIL') return `cannot start: ${where} is not an address of this machine`;
  if (code === 'EACCES' && port !== undefined) return `cannot start: no permission to listen on ${where}`;
  return `cannot start: ${message ?? String(error)}`;
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
