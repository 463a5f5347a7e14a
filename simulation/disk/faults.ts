// The faults that are asked for: calls that fail, writes that are cut short, calls that are slow or hang. It decides nothing
// by itself, and the file system asks it at each call.
import { type Place, systemError } from './errors.ts';

export type DiskOp =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'unlink'
  | 'rename'
  | 'mkdir'
  | 'rmdir'
  | 'readdir'
  | 'stat'
  | 'statfs'
  | 'chmod'
  | 'close';

/** Which files a fault is for, by their absolute path. Left out, all. */
export type Matching = (path: string) => boolean;

interface Fault {
  readonly op: DiskOp;
  readonly matching: Matching;
  /** How many more calls it meets. */
  times: number;
  readonly effect:
    | { readonly kind: 'error'; readonly code: string }
    | { readonly kind: 'short'; readonly share: number }
    | { readonly kind: 'slow'; readonly delayMs: number }
    | { readonly kind: 'hang' };
}

export interface FaultOptions {
  readonly matching?: Matching | undefined;
  /** How many calls the fault meets. Left out, one; Infinity until it is ended. */
  readonly times?: number | undefined;
}

export class Faults {
  /** How often each kind of fault has met a call: `error write EIO`, `short write`, `hang sync`. */
  readonly met = new Map<string, number>();
  #faults: Fault[] = [];

  /** The next calls fail with this code, such as EIO or ENOSPC. Returns the way to end the fault. */
  fail(op: DiskOp, code: string, options: FaultOptions = {}): () => void {
    return this.#add(op, { kind: 'error', code }, options);
  }

  /** The next writes take this share of their bytes only, from 0 to 1. */
  shorten(share: number, options: FaultOptions = {}): () => void {
    return this.#add('write', { kind: 'short', share }, options);
  }

  /** The next calls without a callback of their own take this much longer. */
  slow(op: DiskOp, delayMs: number, options: FaultOptions = {}): () => void {
    return this.#add(op, { kind: 'slow', delayMs }, options);
  }

  /** The next calls do not end, until the disk is told so. */
  hang(op: DiskOp, options: FaultOptions = {}): () => void {
    return this.#add(op, { kind: 'hang' }, options);
  }

  clear(): void {
    this.#faults = [];
  }

  /**
   * @param place as the error names it; @param path of the file, which errors of calls with a descriptor do not name
   * @throws the error that this call must fail with
   */
  check(op: DiskOp, place: Place, path = place.path ?? ''): void {
    const effect = this.#take(op, path, 'error');
    if (effect?.kind === 'error') throw systemError(effect.code, place);
  }

  /** How many of these bytes a write takes. */
  taken(bytes: number, path: string): number {
    const effect = this.#take('write', path, 'short');
    return effect?.kind === 'short' ? Math.floor(bytes * effect.share) : bytes;
  }

  delayOf(op: DiskOp, path: string): number {
    const effect = this.#take(op, path, 'slow');
    return effect?.kind === 'slow' ? effect.delayMs : 0;
  }

  hangs(op: DiskOp, path: string): boolean {
    return this.#take(op, path, 'hang') !== undefined;
  }

  #add(op: DiskOp, effect: Fault['effect'], { matching = () => true, times = 1 }: FaultOptions): () => void {
    const fault: Fault = { op, matching, times, effect };
    this.#faults.push(fault);
    return () => {
      this.#faults = this.#faults.filter((other) => other !== fault);
    };
  }

  #take(op: DiskOp, path: string, kind: Fault['effect']['kind']): Fault['effect'] | undefined {
    const fault = this.#faults.find((one) => one.op === op && one.effect.kind === kind && one.matching(path));
    if (fault === undefined) return undefined;
    fault.times--;
    if (fault.times <= 0) this.#faults = this.#faults.filter((other) => other !== fault);
    const name = kind === 'error' && fault.effect.kind === 'error' ? `${op} ${fault.effect.code}` : op;
    this.met.set(`${kind} ${name}`, (this.met.get(`${kind} ${name}`) ?? 0) + 1);
    return fault.effect;
  }
}
