// node:os in a world: one machine that is the same everywhere.
import * as os from 'node:os';

export * from 'node:os';

export const hostname = (): string => 'gateway';
export const availableParallelism = (): number => 2;
export const freemem = (): number => 2 ** 32;
export const totalmem = (): number => 2 ** 33;

export default { ...os, hostname, availableParallelism, freemem, totalmem };
