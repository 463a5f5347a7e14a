// How a storm begins: when each device that lost its connection makes its first attempt that can succeed. Each function is
// one way in which connections end.
import { seededRandom } from '../../load/random.ts';
import { reconnectAfterMs, returnWindowMs } from '../../src/server/departures.ts';
import type { Rule } from './rules.ts';
import type { Starts } from './simulate.ts';

export interface OutageOptions {
  readonly devices: number;
  /** How long nothing could be reached. */
  readonly outageMs: number;
  /** Time over which devices notice that their connection is gone. */
  readonly noticeMs: number;
  /** Time after which an attempt fails meanwhile: at once if there is no route, or when the device loses its patience. */
  readonly failsAfterMs: number;
  readonly rule: Rule;
  readonly seed: number;
}

/** A network, a region or all gateways are gone for a while. Devices try again and again meanwhile. */
export function afterOutage({
  devices,
  outageMs,
  noticeMs,
  failsAfterMs,
  rule,
  seed,
}: OutageOptions): Starts {
  const random = seededRandom(seed + 1);
  const starts = none(devices);
  for (let device = 0; device < devices; device++) {
    let atMs = -outageMs + random() * noticeMs;
    let failures = 0;
    while (atMs < 0) {
      failures = Math.min(255, failures + 1);
      atMs += failsAfterMs + rule.waitMs('noReply', failures, random);
    }
    starts.atMs[device] = atMs;
    starts.failures[device] = failures;
  }
  return starts;
}

export interface DrainOptions {
  readonly devices: number;
  /** SHUTDOWN_SPREAD of the gateway that goes. */
  readonly spreadMs: number;
  readonly seed: number;
}

/** A gateway drains or stops: each device hears when to come back, as src/server/departures.ts has it. */
export function afterDrain({ devices, spreadMs, seed }: DrainOptions): Starts {
  const random = seededRandom(seed + 1);
  const plan = { overMs: spreadMs, returnMs: returnWindowMs(devices) };
  return filled(devices, (device) => {
    const share = (device + random()) / devices;
    return share * spreadMs + reconnectAfterMs(share, plan);
  });
}

export interface CutOptions {
  readonly devices: number;
  /** Time over which their connections are cut; 0 = all at once. */
  readonly overMs: number;
  readonly rule: Rule;
  readonly seed: number;
}

/** A balancer goes, and cuts its connections without a word. Other balancers are there. */
export function afterCut({ devices, overMs, rule, seed }: CutOptions): Starts {
  const random = seededRandom(seed + 1);
  const starts = filled(
    devices,
    (device) => ((device + random()) / devices) * overMs + rule.waitMs('noReply', 1, random),
  );
  starts.failures.fill(1);
  return starts;
}

/** All devices of a measured run, at once. */
export const atOnce = (devices: number): Starts => none(devices);

const none = (devices: number): Starts => ({
  atMs: new Float64Array(devices),
  failures: new Uint8Array(devices),
});

function filled(devices: number, atMs: (device: number) => number): Starts {
  const starts = none(devices);
  for (let device = 0; device < devices; device++) starts.atMs[device] = atMs(device);
  return starts;
}
