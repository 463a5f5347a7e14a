// Errors in the form that Node gives to errors of the system.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

export interface Place {
  /** The system call, as Node names it: `open`, `scandir`. */
  readonly syscall: string;
  readonly path?: string | undefined;
  /** The second path of a rename. */
  readonly to?: string | undefined;
}

/** @param code such as ENOENT */
export function systemError(code: string, { syscall, path, to }: Place): NodeJS.ErrnoException {
  const number = -(constants.errno[code as keyof typeof constants.errno] ?? 0);
  const text = getSystemErrorMap().get(number)?.[1] ?? 'unknown error';
  const paths = path === undefined ? '' : ` '${path}'${to === undefined ? '' : ` -> '${to}'`}`;
  return Object.assign(new Error(`${code}: ${text}, ${syscall}${paths}`), {
    errno: number,
    code,
    syscall,
    ...(path !== undefined && { path }),
    ...(to !== undefined && { dest: to }),
  });
}

/** A function of Node that no code of the gateway calls in a world. */
export function notSimulated(name: string): Error {
  return new Error(`not simulated: ${name}`);
}
