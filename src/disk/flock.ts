// The kernel's lock on an open file, flock(2): a lock belongs to the open file, so it ends when the file is closed or its
// process ends, by `kill -9` too. It asks nobody about process ids or host names, so it holds between containers. Node.js
// has no call for it. The package koffi calls the C library, which needs no program `flock`.
import { createRequire } from 'node:module';
import { constants } from 'node:os';

export type FlockKind = 'shared' | 'exclusive';

/** From <sys/file.h>, the same on Linux, macOS and the BSDs. */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** The code of the error if koffi cannot be loaded, or if the C library has no flock. */
export const NO_FLOCK = 'NO_FLOCK';

interface Library {
  flock(fd: number, operation: number): number;
  errno(): number;
}

let library: Library | undefined;

/** Loaded with the first lock. Measured on a 2-core VM: 11 to 25 ms, and a lock 0.05 ms. @throws Error with NO_FLOCK */
function load(): Library {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const flock = koffi.load(null).func('int flock(int fd, int operation)');
    return { flock: (fd, operation) => flock(fd, operation) as number, errno: () => koffi.errno() };
  } catch (cause) {
    const message = `the package koffi, which takes the kernel's locks, cannot be used on ${process.platform}-${process.arch}: ${(cause as Error).message.replace(/[.?!]+$/, '')}`;
    throw Object.assign(new Error(message, { cause }), { code: NO_FLOCK });
  }
}

/**
 * Takes the lock, or turns the one of this open file into `kind`. False if another open file has a lock that forbids it,
 * in this process or any other.
 * @throws the system's error, or an error with the code NO_FLOCK
 */
export function tryFlock(fd: number, kind: FlockKind): boolean {
  library ??= load();
  const operation = (kind === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB;
  // A signal may interrupt the call.
  for (;;) {
    if (library.flock(fd, operation) === 0) return true;
    const errno = library.errno();
    if (errno === constants.errno.EWOULDBLOCK || errno === constants.errno.EAGAIN) return false;
    if (errno === constants.errno.EINTR) continue;
    const code = nameOf(errno);
    throw Object.assign(new Error(`${code}: flock`), { code, errno: -errno, syscall: 'flock' });
  }
}

/** util.getSystemErrorName() lacks ENOLCK, which libuv never returns. */
function nameOf(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
