// The signals to the first process. Server processes ignore all of them, because Ctrl-C reaches the whole group.
//   SIGTERM         drains and stops
//   SIGINT          stops, without the drain: somebody waits
//   SIGHUP          stops if the gateway was started from a terminal, else reloads
//   SIGUSR1, 2      nothing (main.ts)
// The second SIGTERM or SIGINT ends the process at once.
import { isatty } from 'node:tty';
import type { StopHow } from '../gateway/drain.ts';

export interface SignalActions {
  /** Called again, it may only cut a drain short. */
  stop(how: StopHow): void;
  readonly isStopping: () => boolean;
  /** The second signal. */
  endAtOnce(signal: NodeJS.Signals): void;
  reload(): void;
}

/** Ctrl-C reaches the gateway from the terminal, and once more from npm, which passes it on. */
const ECHO_MS = 1000;

/** @param hasNpm whether npm or npx started this process */
export function onSignals(actions: SignalActions, { hasNpm }: { hasNpm: boolean }): void {
  // Now, because a terminal that has closed is none any more.
  const isOnTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (first === undefined) {
        first = { signal, atMs: performance.now() };
        // After `POST /drain` SIGTERM changes nothing: an orchestrator may send both.
        actions.stop({ drains: signal === 'SIGTERM', reason: signal });
        return;
      }
      const isEcho = hasNpm && first.signal === signal && performance.now() - first.atMs < ECHO_MS;
      if (!isEcho) actions.endAtOnce(signal);
    });
  }
  process.on('SIGHUP', () => {
    // A terminal that closes sends it more than once, so it never is the second signal.
    if (actions.isStopping()) return;
    if (isOnTerminal) actions.stop({ reason: 'SIGHUP' });
    else actions.reload();
  });
}
