// The life of the gateway as a process: start, signals, stop, exit codes. Decides nothing about devices or Kafka.
import type { App, StopResult } from '../app.ts';
import type { Logger } from '../log/logger.ts';

/** sysexits.h EX_SOFTWARE: a bug; the state is unknown, so nothing is tidied up. */
const EXIT_BUG = 70;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Returns when the gateway is up; from then on signals rule. */
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
    // A start that a signal broke off is not a failure; stop() tells how it ended.
    if (stopping) return;
    log.fatal({ code: codeOf(error) }, startFailure(error));
    await exit(log, exitCodeOf(error));
  }
}

async function stop(app: App, log: Logger): Promise<void> {
  const { complete, unconfirmed } = await app.stop();
  if (complete) log.info('stopped');
  else log.error({ unconfirmed }, hardStop(unconfirmed));
  // Not left to an empty event loop: a connection someone forgot must not outlive the promised time.
  await exit(log, complete ? 0 : 1);
}

function hardStop(unconfirmed: StopResult['unconfirmed']): string {
  if (unconfirmed === 'unknown')
    return 'stopped hard: a server process ended without telling what it still held, so records may be lost; none of them was confirmed to its device';
  return 'stopped hard: SHUTDOWN_TIMEOUT passed before all records were confirmed or in the spool';
}

/** Any error nobody expected ends the process: going on with half a state could confirm what is not durable. */
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

/** An error of the start that is the settings' fault brings its own exit code (78). */
function exitCodeOf(error: unknown): number {
  const exitCode = (error as { exitCode?: unknown } | null)?.exitCode;
  return typeof exitCode === 'number' ? exitCode : 1;
}
