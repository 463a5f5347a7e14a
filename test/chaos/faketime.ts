// Gives the gateway alone a wrong wall clock, which can be corrected while it runs (libfaketime). Monotonic clocks stay
// right, as on a real machine with a wrong date.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultSkipped } from './fault.ts';

const PROBE_TIMEOUT_MS = 10_000;
/** Allowed difference of two readings of a clock, between which a process has to start. */
const SAME_CLOCK_MS = 5_000;

export class FakeClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  /**
   * @param offset such as `+2h` or `-3y`
   * @throws FaultSkipped if faketime is not installed
   */
  constructor(directory: string, offset: string) {
    this.#file = join(directory, 'clock');
    this.set(offset);
    this.env = {
      LD_PRELOAD: preloaded(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      // Seconds after which libfaketime reads the file again.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
    this.#check();
  }

  set(offset: string): void {
    writeFileSync(this.#file, `${offset}\n`);
  }

  putRight(): void {
    this.set('+0');
  }

  /** Checks that the wall clock changed and the monotonic one did not: otherwise this would be another fault. */
  #check(): void {
    const script = 'console.log(Date.now(), Number(process.hrtime.bigint() / 1000000n))';
    const env = { PATH: process.env.PATH ?? '', ...this.env };
    const { stdout } = spawnSync(process.execPath, ['-e', script], {
      env,
      encoding: 'utf8',
      timeout: PROBE_TIMEOUT_MS,
    });
    const [wallMs = 0, monotonicMs = 0] = stdout.split(' ').map(Number);
    if (Math.abs(wallMs - Date.now()) < SAME_CLOCK_MS) throw new Error('faketime does not change the clock');
    const ownMs = Number(process.hrtime.bigint() / 1_000_000n);
    if (Math.abs(monotonicMs - ownMs) > SAME_CLOCK_MS)
      throw new Error('faketime changes the monotonic clock');
  }
}

/** The path of the library, taken from the environment that the faketime command sets. */
function preloaded(): string {
  const { stdout, status } = spawnSync('faketime', ['-f', '+0', 'sh', '-c', 'printf %s "$LD_PRELOAD"'], {
    encoding: 'utf8',
    timeout: PROBE_TIMEOUT_MS,
  });
  if (status !== 0 || !stdout)
    throw new FaultSkipped('faketime is missing (on Debian: apt-get install faketime)');
  return stdout;
}
