// The exit codes of `sluice` and their meanings for service managers; docs/configuration.md and --help show the table. The
// numbers from 64 on come from sysexits.h.

/** EX_USAGE: the command line itself is wrong. */
export const EXIT_USAGE = 64;
/** EX_UNAVAILABLE: a command that asks a running gateway got no answer. */
export const EXIT_UNREACHABLE = 69;
/** EX_SOFTWARE: a bug. The state is unknown, so the process ends at once. */
export const EXIT_BUG = 70;
/** EX_TEMPFAIL: the gateway cannot do it now. */
export const EXIT_BUSY = 75;
/** EX_PROTOCOL: the other side is no Sluice, or an older one that lacks the page. */
export const EXIT_NOT_SLUICE = 76;
/** EX_NOPERM: the admin port wants its token, or another one. */
export const EXIT_NO_ACCESS = 77;
/** EX_CONFIG: settings, or other things that only a person can change. */
export const EXIT_SETTINGS = 78;

interface ExitCode {
  readonly code: number;
  readonly when: string;
  /** Whether a service manager should start the program again. */
  readonly again: string;
}

export const EXIT_CODES: readonly ExitCode[] = [
  {
    code: 0,
    when: 'stopped in order: every accepted record is in Kafka or in the spool',
    again: 'no',
  },
  {
    code: 1,
    when: 'the start failed for a reason that may pass: a port in use, an address that this machine lacks, a full or broken disk; or a stop that left records neither in Kafka nor in the spool, or a second signal. Of a command: it was not done, or the answer is no (not ready, nobody to kick, errors found by `sluice check`)',
    again: 'yes',
  },
  { code: EXIT_USAGE, when: 'wrong command line', again: 'no' },
  { code: EXIT_UNREACHABLE, when: 'no answer from the gateway that a command asks', again: 'no' },
  { code: EXIT_BUG, when: 'a bug; the log has its stack', again: 'yes' },
  { code: EXIT_BUSY, when: 'the gateway that a command asks cannot do it now; try again later', again: 'no' },
  {
    code: EXIT_NOT_SLUICE,
    when: 'a command asked something that is no Sluice, or an older one that cannot do it',
    again: 'no',
  },
  {
    code: EXIT_NO_ACCESS,
    when: 'the gateway that a command asks wants its token, or another one, or refuses the request',
    again: 'no',
  },
  {
    code: EXIT_SETTINGS,
    when: 'wrong settings, or something else that only a person can change: a spool that another gateway uses, that cannot be written, whose disk is not mounted or that a newer program wrote; a port below 1024 without the right to it; too few open files; a codec that is not installed; a version of Node that cannot run it',
    again: 'no',
  },
];
