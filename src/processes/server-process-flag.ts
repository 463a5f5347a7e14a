// The command line of a server process. It imports nothing, as the command line needs no more.
export const SERVER_PROCESS_FLAG = '--server-process';

export const SERVER_PROCESS_ARGUMENTS: readonly string[] = ['serve', SERVER_PROCESS_FLAG];
