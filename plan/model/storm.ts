// The return of a whole fleet after a regional outage, in closed form: devices that wait as docs/protocol.md says, and
// gateways that take so many a second. plan/storm plays the same event by event.
import type { Constants } from '../constants.ts';
import { type Arrivals, type ArrivalsOptions, arrivalsPerSecond, handshakesFor } from './gateway.ts';

/** After an outage of some minutes each device waits its longest time: a minute, and at random up to half of it more. */
export const LONGEST_WAIT_SECONDS = 60 * 1.5;
/** Each wait is 60 to 90 s, so at first a fleet comes at the rate of its size over the mean wait. */
const MEAN_WAIT_SECONDS = 60 * 1.25;

export interface StormOptions extends ArrivalsOptions {
  readonly devices: number;
  readonly gateways: number;
}

export interface Storm {
  /** From the end of the outage until the last device is identified. */
  readonly seconds: number;
  /** The part of it that more machines would make shorter: all of them take devices for so long. */
  readonly workSeconds: number;
  /** Devices that come in a second at first, at all gateways. */
  readonly comingPerSecond: number;
  /** Devices that all gateways take in a second. */
  readonly taken: Arrivals;
  /** TCP_TLS_MAX_HANDSHAKES of each gateway. */
  readonly maxHandshakes: number;
}

export function stormOf(constants: Constants, { devices, gateways, ...how }: StormOptions): Storm {
  const maxHandshakes = handshakesFor(constants, how);
  const one = arrivalsPerSecond(constants, { ...how, maxHandshakes });
  const taken = { ...one, perSecond: one.perSecond * gateways };
  const roundTrips = how.tls ? 3 : 2;
  const workSeconds = devices / taken.perSecond + roundTrips * how.rttSeconds;
  const seconds = Math.max(LONGEST_WAIT_SECONDS, workSeconds);
  return { seconds, workSeconds, comingPerSecond: devices / MEAN_WAIT_SECONDS, taken, maxHandshakes };
}
