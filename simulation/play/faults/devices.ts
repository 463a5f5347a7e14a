// What devices do beside sending steadily.
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';

/** Long enough to be identified. */
const TWIN_EVERY_MS = 300;

export const DEVICE_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'burst',
    weight: 3,
    isCalm: true,
    draw: (random, { devices }) => ({ messages: Math.ceil(random.pick([20, 200, 2_000]) / devices) }),
    words: ({ messages }) => `each device sends ${messages} messages at once`,
    play: ({ fleet }, { messages }) => fleet.burst(messages),
  }),
  fault({
    name: 'large-readings',
    weight: 2,
    isCalm: true,
    draw: (random) => ({ bytes: random.pick([900, 3_000, 7_000]), lastsMs: lastsMs(random) }),
    words: ({ bytes, lastsMs }) => `readings have ${bytes} bytes for ${seconds(lastsMs)}`,
    play(stage, { bytes, lastsMs }) {
      stage.during(
        lastsMs,
        () => stage.fleet.setPadding(bytes),
        () => stage.fleet.setPadding(0),
      );
    },
  }),
  fault({
    name: 'flood',
    weight: 2,
    isCalm: true,
    draw: (random, { devices }) => ({
      messages: Math.ceil(random.pick([1_000, 2_000]) / devices),
      bytes: random.pick([3_000, 7_000]),
    }),
    words: ({ messages, bytes }) => `each device sends ${messages} messages of ${bytes} bytes at once`,
    play({ fleet }, { messages, bytes }) {
      fleet.setPadding(bytes);
      fleet.burst(messages);
      fleet.setPadding(0);
    },
  }),
  fault({
    name: 'fast-devices',
    weight: 2,
    isCalm: true,
    draw: (random) => ({ times: random.pick([5, 20]), lastsMs: random.pick([500, 3_000]) }),
    words: ({ times, lastsMs }) => `devices send ${times} times as much for ${seconds(lastsMs)}`,
    play(stage, { times, lastsMs }) {
      stage.during(
        lastsMs,
        () => stage.fleet.setSpeed(times),
        () => stage.fleet.setSpeed(1),
      );
    },
  }),
  fault({
    name: 'device-deaf',
    weight: 2,
    draw: (random, { devices }) => ({
      device: random.between(0, devices - 1),
      // A device that reads nothing for 30 s is closed.
      lastsMs: random.pick([1_000, 6_000, 36_000]),
      keepalives: random.pick([100, 3_000, 15_000]),
    }),
    words: ({ device, lastsMs, keepalives }) =>
      `device ${device} reads no replies for ${seconds(lastsMs)} and sends ${keepalives} keepalives`,
    play: ({ fleet }, { device, lastsMs, keepalives }) => fleet.deafen(device, lastsMs, keepalives),
  }),
  fault({
    name: 'device-half-close',
    weight: 2,
    draw: (random, { devices }) => ({ device: random.between(0, devices - 1) }),
    words: ({ device }) => `device ${device} ends its sending side and waits for its replies`,
    play: ({ fleet }, { device }) => fleet.halfClose(device),
  }),
  fault({
    name: 'device-twin',
    weight: 2,
    draw: (random, { devices }) => ({
      device: random.between(0, devices - 1),
      times: random.pick([1, 1, 3]),
    }),
    words: ({ device, times }) =>
      `device ${device} connects ${times === 1 ? 'again' : `${times} times`} with the same device_id`,
    play(stage, { device, times }) {
      stage.repeat(times, TWIN_EVERY_MS, () => stage.fleet.twin(device));
    },
  }),
  fault({
    name: 'strangers',
    weight: 1,
    draw: (random) => ({ count: random.pick([1, 20, 200]) }),
    words: ({ count }) => `${count} peers come that are no devices`,
    play: ({ fleet }, { count }) => fleet.strangers(count),
  }),
];
