// A nearly full disk takes part of a write without an error; only the next write would say ENOSPC.

/** @throws ENOSPC if fewer bytes were written than were given */
export function refuseShortWrite(written: number, given: number): void {
  if (written < given) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}
