// The table of commands. A new command is one entry here: a file with its options, and a file that runs it.
import { type CommandEntry, command } from './cli/command.ts';

/** Runs without a command too. */
export const SERVE = command({
  name: 'serve',
  about: 'start the gateway; the default without a command',
  options: async () => (await import('./cli/serve-command.ts')).defineServe,
  run: async () => (await import('#start/gateway')).runServe,
});

export const COMMANDS: readonly CommandEntry[] = [
  SERVE,
  command({
    name: 'spool',
    about: 'look at, check or send the records that wait on disk for Kafka',
    options: async () => (await import('./cli/spool/command.ts')).defineSpool,
    run: async () => (await import('./cli/spool/run.ts')).runSpool,
  }),
  command({
    name: 'dead',
    about: 'look at dead letters, that is refused lines and records, and send them again',
    options: async () => (await import('./cli/dead/command.ts')).defineDead,
    run: async () => (await import('./cli/dead/run.ts')).runDead,
  }),
  command({
    name: 'token',
    about: 'add, list or revoke the tokens that devices identify with',
    options: async () => (await import('./cli/token/command.ts')).defineToken,
    run: async () => (await import('./cli/token/run.ts')).runToken,
  }),
  command({
    name: 'stats',
    about: 'print all figures of a running gateway',
    options: async () => (await import('./cli/remote/options.ts')).defineStats,
    run: async () => (await import('./cli/remote/stats.ts')).runStats,
  }),
  command({
    name: 'health',
    about: 'print the state of each component of a running gateway; exit code 0 if it is ready',
    options: async () => (await import('./cli/remote/options.ts')).defineHealth,
    run: async () => (await import('./cli/remote/health.ts')).runHealth,
  }),
  command({
    name: 'probe',
    about: 'ask the gateway of this machine whether it lives, for health checks; exit code 0 if it does',
    options: async () => (await import('./cli/probe/command.ts')).defineProbe,
    run: async () => (await import('./cli/probe/run.ts')).runProbe,
  }),
  command({
    name: 'top',
    about: 'show flow, health and the busiest connections of a running gateway, live',
    options: async () => (await import('./cli/remote/options.ts')).defineTop,
    run: async () => (await import('./cli/top/run.ts')).runTop,
  }),
  command({
    name: 'connections',
    about: 'list the connections of a running gateway',
    options: async () => (await import('./cli/remote/options.ts')).defineConnections,
    run: async () => (await import('./cli/remote/connections.ts')).runConnections,
  }),
  command({
    name: 'tap',
    about: 'show a sample of live lines and their fate',
    options: async () => (await import('./cli/remote/options.ts')).defineTap,
    run: async () => (await import('./cli/remote/tap.ts')).runTap,
  }),
  command({
    name: 'kick',
    about: 'close connections of a running gateway',
    options: async () => (await import('./cli/remote/options.ts')).defineKick,
    run: async () => (await import('./cli/remote/kick.ts')).runKick,
  }),
  command({
    name: 'drain',
    about: 'have a running gateway send its devices away, and stop',
    options: async () => (await import('./cli/remote/options.ts')).defineDrain,
    run: async () => (await import('./cli/remote/drain.ts')).runDrain,
  }),
  command({
    name: 'log-level',
    about: 'show or set the log level of a running gateway',
    options: async () => (await import('./cli/remote/options.ts')).defineLogLevel,
    run: async () => (await import('./cli/remote/log-level.ts')).runLogLevel,
  }),
  command({
    name: 'profile',
    about: 'bring a CPU profile or a heap snapshot of a running gateway',
    options: async () => (await import('./cli/remote/options.ts')).defineProfile,
    run: async () => (await import('./cli/remote/profile.ts')).runProfile,
  }),
  command({
    name: 'load',
    about: 'load a gateway with devices, and prove from Kafka that everything arrived',
    options: async () => (await import('../load/command/command.ts')).defineLoad,
    run: async () => {
      const { load } = await import('../load/command/run.ts');
      const settings = await import('./cli/with-settings.ts');
      return (options) => load(options, settings.load());
    },
    keepsUmask: true,
  }),
  command({
    name: 'check',
    about: 'check the settings, this machine and Kafka, and say what to do about each fault',
    options: async () => (await import('./cli/check/command.ts')).defineCheck,
    run: async () => (await import('./cli/check/run.ts')).runCheck,
  }),
  command({
    name: 'completion',
    about: 'print the script that completes commands in bash, zsh or fish',
    options: async () => (await import('./cli/completion/command.ts')).defineCompletion,
    run: async () => (await import('./cli/completion/run.ts')).printScript,
  }),
  command({
    name: 'complete',
    about: 'propose words for the line that a shell completes',
    options: async () => (await import('./cli/completion/command.ts')).defineComplete,
    run: async () => (await import('./cli/completion/run.ts')).complete,
    isHidden: true,
  }),
];
