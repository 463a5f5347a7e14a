// Faults of the gateway's own processes and of its clock.
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';

const severalProcesses = ({ env }: { env: Readonly<Record<string, string>> }) =>
  Number(env.TCP_PROCESSES) > 1;
const HOUR_MS = 3_600_000;

export const GATEWAY_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'stop',
    weight: 3,
    draw: (random) => ({ restartMs: random.pick([0, 200, 3_000]) }),
    words: ({ restartMs }) => `SIGTERM, and a start ${seconds(restartMs)} after the end`,
    play: ({ gateway }, { restartMs }) => gateway.stop(restartMs),
  }),
  fault({
    name: 'stop-twice',
    weight: 1,
    draw: (random) => ({ secondAfterMs: random.pick([0, 20, 500, 2_000]) }),
    words: ({ secondAfterMs }) => `SIGTERM, and another one ${seconds(secondAfterMs)} later`,
    play({ gateway, world }, { secondAfterMs }) {
      gateway.stop(500);
      world.after(secondAfterMs, () => gateway.stop(500), world.outside);
    },
  }),
  fault({
    name: 'kill',
    weight: 4,
    draw: (random) => ({ restartMs: random.pick([0, 200, 3_000]) }),
    words: ({ restartMs }) => `kill -9, and a start ${seconds(restartMs)} later`,
    play: (stage, { restartMs }) => stage.crashGateway('process', restartMs),
  }),
  fault({
    name: 'power-cut',
    weight: 4,
    draw: (random) => ({ restartMs: random.pick([500, 5_000]) }),
    words: ({ restartMs }) =>
      `power cut: the disk keeps what was synced; a start ${seconds(restartMs)} later`,
    play: (stage, { restartMs }) => stage.crashGateway('power', restartMs),
  }),
  fault({
    name: 'kill-then-power-cut',
    weight: 3,
    draw: (random) => ({ afterMs: random.pick([0, 1, 5, 20, 100, 300, 600]) + random.next() }),
    words: ({ afterMs }) =>
      `kill -9, a start at once, and a power cut ${seconds(afterMs)} after it; a start 0.50 s later`,
    play(stage, { afterMs }) {
      stage.crashGateway('process', 0);
      stage.later(afterMs, () => stage.crashGateway('power', 500));
    },
  }),
  fault({
    name: 'first-process-kill',
    weight: 2,
    fits: severalProcesses,
    draw: (random) => ({ restartMs: random.pick([0, 0, 500]) }),
    words: ({ restartMs }) => `kill -9 of the first process only, and a start ${seconds(restartMs)} later`,
    play: ({ gateway }, { restartMs }) => gateway.killFirst(restartMs),
  }),
  fault({
    name: 'process-kill',
    weight: 3,
    fits: severalProcesses,
    draw: (random, { env }) => ({ process: random.between(0, Number(env.TCP_PROCESSES) - 1) }),
    words: ({ process }) => `kill -9 of server process ${process}`,
    play: ({ gateway }, { process }) => gateway.killProcess(process),
  }),
  fault({
    name: 'process-freeze',
    weight: 2,
    fits: severalProcesses,
    draw: (random, { env }) => ({
      process: random.between(0, Number(env.TCP_PROCESSES) - 1),
      lastsMs: lastsMs(random),
    }),
    words: ({ process, lastsMs }) => `SIGSTOP of server process ${process} for ${seconds(lastsMs)}`,
    play(stage, { process, lastsMs }) {
      const { gateway } = stage.gateway;
      if (gateway === undefined) return;
      stage.gateway.wasFrozen();
      stage.during(
        lastsMs,
        () => gateway.freezeProcess(process),
        () => gateway.thawProcess(process),
      );
    },
  }),
  fault({
    name: 'freeze',
    weight: 2,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `SIGSTOP of the whole gateway for ${seconds(lastsMs)}`,
    play(stage, { lastsMs }) {
      const targets = stage.gateway.gateway?.processes ?? [];
      stage.gateway.wasFrozen();
      stage.during(
        lastsMs,
        () => {
          for (const target of targets) target.freeze();
        },
        () => {
          for (const target of targets) target.thaw();
        },
      );
    },
  }),
  fault({
    name: 'fewer-processes',
    weight: 1,
    fits: severalProcesses,
    draw: () => ({}),
    words: () => 'TCP_PROCESSES=1 from the next start on, and SIGTERM',
    play({ gateway }) {
      gateway.env = { ...gateway.env, TCP_PROCESSES: '1' };
      gateway.stop(200);
    },
  }),
  fault({
    name: 'clock-jump',
    weight: 1,
    draw: (random) => ({
      byMs: random.pick([-48, -2, -0.01, 0.01, 0.5, 2, 48]) * HOUR_MS,
      lastsMs: lastsMs(random),
    }),
    words: ({ byMs, lastsMs }) =>
      `the gateway's clock is ${(byMs / HOUR_MS).toFixed(2)} hours off for ${seconds(lastsMs)}`,
    play(stage, { byMs, lastsMs }) {
      stage.during(
        lastsMs,
        () => stage.shiftClock(byMs),
        () => stage.shiftClock(-byMs),
      );
    },
  }),
];
