// Names the exit codes that several programs share. The numbers come from sysexits.h.

/** EX_USAGE: the command line itself is wrong. */
export const EXIT_USAGE = 64;
