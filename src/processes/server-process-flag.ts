// The option of `sluice serve` that makes a process a server process. It imports nothing, as the command line needs no more.
export const SERVER_PROCESS_FLAG = '--server-process';
