// Faults of the network, between the gateway and brokers and between devices and the gateway.
import { brokerHost, deviceHost, GATEWAY } from '../addresses.ts';
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';

const RESET_EVERY_MS = 150;
const LOSE_EVERY_MS = 400;

const timesInWords = (times: number): string => (times === 1 ? '' : `, ${times} times`);

export const NETWORK_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'broker-cut',
    weight: 3,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `nothing passes between gateway and broker ${node} for ${seconds(lastsMs)}`,
    play: (stage, { node, lastsMs }) => stage.cutBrokers([node], lastsMs),
  }),
  fault({
    name: 'kafka-cut',
    weight: 2,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `nothing passes between gateway and brokers for ${seconds(lastsMs)}`,
    play: (stage, { lastsMs }) => stage.cutBrokers(stage.kafka.brokers.nodeIds, lastsMs),
  }),
  fault({
    name: 'broker-resets',
    weight: 3,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), times: random.pick([1, 1, 5]) }),
    words: ({ node, times }) => `connections to broker ${node} are reset${timesInWords(times)}`,
    play: (stage, { node, times }) =>
      stage.repeat(times, RESET_EVERY_MS, () => stage.network.reset(GATEWAY, brokerHost(node))),
  }),
  fault({
    name: 'answer-lost',
    weight: 4,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), times: random.pick([1, 1, 2, 4]) }),
    words: ({ node, times }) =>
      `the next answer of broker ${node} is lost, and its connection is reset${timesInWords(times)}`,
    play: (stage, { node, times }) =>
      stage.repeat(times, LOSE_EVERY_MS, () => stage.network.dropNext(brokerHost(node), GATEWAY)),
  }),
  fault({
    name: 'broker-half-close',
    weight: 1,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers) }),
    words: ({ node }) => `connections to broker ${node} end on the broker's side`,
    play: (stage, { node }) => void stage.network.halfClose(brokerHost(node), GATEWAY),
  }),
  fault({
    name: 'broker-refuses',
    weight: 1,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `broker ${node} is not reached by new connections for ${seconds(lastsMs)}`,
    play: (stage, { node, lastsMs }) => stage.refuseBroker(node, lastsMs),
  }),
  fault({
    name: 'slow-broker-link',
    weight: 2,
    draw: (random, { brokers }) => ({
      node: random.between(1, brokers),
      delayMs: random.pick([30, 120, 700]),
      lastsMs: lastsMs(random),
    }),
    words: ({ node, delayMs, lastsMs }) =>
      `${delayMs} ms each way between gateway and broker ${node} for ${seconds(lastsMs)}`,
    play: (stage, { node, delayMs, lastsMs }) => stage.slowBrokerLink(node, delayMs, lastsMs),
  }),
  fault({
    name: 'device-cut',
    weight: 2,
    isCalm: true,
    draw: (random, { devices }) => ({ device: random.between(0, devices - 1), lastsMs: lastsMs(random) }),
    words: ({ device, lastsMs }) =>
      `nothing passes between device ${device} and the gateway for ${seconds(lastsMs)}`,
    play(stage, { device, lastsMs }) {
      const host = deviceHost(device);
      stage.during(
        lastsMs,
        () => stage.network.cut(host, GATEWAY),
        () => stage.network.heal(host, GATEWAY),
      );
    },
  }),
  fault({
    name: 'device-resets',
    weight: 3,
    isCalm: true,
    draw(random, { devices }) {
      const [one, other] = [random.between(0, devices - 1), random.between(0, devices - 1)];
      return { from: Math.min(one, other), to: Math.max(one, other) };
    },
    words: ({ from, to }) => `connections of devices ${from} to ${to} are reset`,
    play(stage, { from, to }) {
      for (let device = from; device <= to; device++) stage.network.reset(deviceHost(device), GATEWAY);
    },
  }),
  fault({
    name: 'reply-lost',
    weight: 3,
    draw: (random, { devices }) => ({
      device: random.between(0, devices - 1),
      times: random.pick([1, 1, 4]),
    }),
    words: ({ device, times }) =>
      `the next replies to device ${device} are lost, and its connection is reset${timesInWords(times)}`,
    play: (stage, { device, times }) =>
      stage.repeat(times, LOSE_EVERY_MS, () => stage.network.dropNext(GATEWAY, deviceHost(device))),
  }),
  fault({
    name: 'lines-lost',
    weight: 1,
    draw: (random, { devices }) => ({ device: random.between(0, devices - 1) }),
    words: ({ device }) => `the next lines of device ${device} are lost, and its connection is reset`,
    play: (stage, { device }) => void stage.network.dropNext(deviceHost(device), GATEWAY),
  }),
  fault({
    name: 'device-power',
    weight: 2,
    draw: (random, { devices }) => ({ device: random.between(0, devices - 1), lastsMs: lastsMs(random) }),
    words: ({ device, lastsMs }) =>
      `device ${device} vanishes without a word for ${seconds(lastsMs)}: the gateway holds its connection`,
    play(stage, { device, lastsMs }) {
      const host = deviceHost(device);
      stage.during(
        lastsMs,
        () => stage.network.powerOff(host),
        () => stage.network.powerOn(host),
      );
    },
  }),
  fault({
    name: 'names-fail',
    weight: 1,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) =>
      `the name of broker ${node} has no address for ${seconds(lastsMs)}, and its connections are reset`,
    play(stage, { node, lastsMs }) {
      const host = brokerHost(node);
      stage.during(
        lastsMs,
        () => {
          stage.network.failLookups(host);
          stage.network.reset(GATEWAY, host);
        },
        () => stage.network.allowLookups(host),
      );
    },
  }),
  fault({
    name: 'slow-devices',
    weight: 1,
    isCalm: true,
    draw: (random) => ({
      bytesPerMs: random.pick([1, 20]),
      segmentBytes: random.pick([1, 7, 500]),
      lastsMs: lastsMs(random),
    }),
    words: ({ bytesPerMs, segmentBytes, lastsMs }) =>
      `devices send ${bytesPerMs} bytes a ms in pieces of ${segmentBytes} for ${seconds(lastsMs)}`,
    play: (stage, { bytesPerMs, segmentBytes, lastsMs }) =>
      stage.slowDevices({ bytesPerMs, segmentBytes }, lastsMs),
  }),
];
